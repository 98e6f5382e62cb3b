"""Where the operator's keys come from: one Secret for all replicas, or temporary keys without one."""

import asyncio
import base64
import logging
from dataclasses import dataclass, field
from typing import Any, cast

import aiohttp
import pytest

from tts_operator.app.keys import load_keyring
from tts_operator.app.settings import NamespacedName, parse_key_secret
from tts_operator.json_object import Json
from tts_operator.kube.client import Client
from tts_operator.kube.errors import ApiError
from tts_operator.kube.resources import Resource
from tts_operator.kube.secret import ApiSecret


def refusal(status: int) -> ApiError:
    return ApiError(status=status, reason="Refused", message="because")


@dataclass
class ApiServer:
    """Keeps one Secret, and fails a given number of times first."""

    body: Json | None = None
    failures: list[Exception] = field(default_factory=list)
    refuses_to_create: ApiError | None = None
    made: int = 0

    async def get(self, resource: Resource, namespace: str, name: str) -> Json:
        assert (resource.plural, namespace, name) == ("secrets", "system", "operator-key")
        await asyncio.sleep(0)
        if self.failures:
            raise self.failures.pop(0)
        if self.body is None:
            raise refusal(404)
        return self.body

    async def create(self, _: Resource, body: Json) -> Json:
        await asyncio.sleep(0)
        if self.refuses_to_create is not None:
            raise self.refuses_to_create
        if self.body is not None:
            raise refusal(409)
        self.body, self.made = body, self.made + 1
        return body

    def secret(self) -> ApiSecret:
        return ApiSecret(cast("Client", self), "system", "operator-key")


async def test_replicas_that_begin_at_once_have_the_same_keys() -> None:
    server = ApiServer()
    keyrings = await asyncio.gather(*(load_keyring(server.secret()) for _ in range(5)))
    assert len({keyring.public_key for keyring in keyrings}) == 1
    assert server.made == 1
    assert server.body is not None
    assert server.body["immutable"]
    assert len(base64.b64decode(server.body["data"]["secret"])) == 32
    assert (await load_keyring(server.secret())).public_key == keyrings[0].public_key


@pytest.mark.parametrize(
    "failure", [refusal(503), refusal(401), aiohttp.ClientError("no way"), TimeoutError()], ids=repr
)
async def test_an_api_server_that_does_not_answer_is_waited_for(clock: Any, failure: Exception) -> None:
    del clock
    there = await load_keyring((server := ApiServer()).secret())
    server.failures = [failure] * 20
    assert (await load_keyring(server.secret())).public_key == there.public_key


async def test_a_role_that_is_not_seen_yet_is_waited_for(clock: Any) -> None:
    del clock
    there = await load_keyring((server := ApiServer()).secret())
    server.failures = [refusal(403)] * 4
    assert (await load_keyring(server.secret())).public_key == there.public_key


@pytest.mark.parametrize(
    "server, said",
    [
        (ApiServer(failures=[refusal(403)] * 99), "403"),
        (ApiServer(refuses_to_create=refusal(403)), "403"),
        (ApiServer(body={"data": {"other": ""}}), "it has no key secret"),
        (ApiServer(body={}), "it has no key secret"),
        (ApiServer(body={"data": {"secret": "not base64"}}), "it has no key secret"),
        (ApiServer(body={"data": {"secret": "c2hvcnQ="}}), "has 5 bytes"),
    ],
    ids=["may not be read", "may not be made", "another value", "none", "no base64", "short"],
)
async def test_a_secret_that_cannot_be_had_does_not_stop_the_operator_and_is_told(
    server: ApiServer, said: str, caplog: pytest.LogCaptureFixture, clock: Any
) -> None:
    del clock
    first, second = [await load_keyring(each) for each in (server.secret(), None)]
    assert first.public_key != second.public_key
    (error,) = (record.getMessage() for record in caplog.records if record.levelno == logging.ERROR)
    assert error.startswith("cannot use Secret system/operator-key (")
    assert said in error
    assert "cannot pass the speech check" in error
    assert "c2hvcnQ" not in caplog.text


@pytest.mark.parametrize("text", ["name", "/name", "namespace/", "a/b/c"])
def test_the_name_of_a_secret_has_two_parts(text: str) -> None:
    with pytest.raises(ValueError, match="write NAMESPACE/NAME"):
        parse_key_secret(text)
    assert parse_key_secret("") is None
    assert parse_key_secret("a/b") == NamespacedName("a", "b")
