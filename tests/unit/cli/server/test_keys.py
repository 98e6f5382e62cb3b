"""Which API key a request gets."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from tests.unit.cli.jobs.fakekubectl import kubectl
from tests.unit.cli.services_in_states import a_service
from tts_operator.cli.refused import RefusedError
from tts_operator.cli.server.keys import api_key, choose
from tts_operator.cli.view import SecretKey

SECRET = SecretKey(name="speech-keys", key="keys")


def test_where_the_keys_of_a_service_are() -> None:
    spec = {"server": {"auth": {"apiKeysSecretRef": {"name": "speech-keys", "key": "keys"}}}}
    assert a_service(spec=spec).api_keys == SECRET
    assert a_service().api_keys is None


def test_a_key_of_the_environment_needs_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fails = kubectl(tmp_path, monkeypatch, "exit 1")
    assert api_key(fails, SECRET, None, {"TTS_API_KEY": " s3cret\n"}) == "s3cret"
    assert api_key(fails, None, None, {}) == ""


@pytest.mark.parametrize("key", ["two words", "line\nbreak", "\udcff"])
def test_a_variable_that_is_no_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    with pytest.raises(RefusedError, match="TTS_API_KEY is not an API key"):
        api_key(kubectl(tmp_path, monkeypatch, "exit 1"), SECRET, None, {"TTS_API_KEY": key})


def test_the_only_key_of_the_secret_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = json.dumps({"data": {"keys": base64.b64encode(b'[{"name": "shop", "key": "s3cret"}]').decode()}})
    answers = kubectl(tmp_path, monkeypatch, f"[ \"$1 $2 $3\" = 'get secrets speech-keys' ] && echo '{data}'")
    assert api_key(answers, SECRET, None, {}) == "s3cret"
    assert api_key(answers, SECRET, "shop", {"TTS_API_KEY": "another"}) == "s3cret"
    with pytest.raises(RefusedError, match="has no key 'other'"):
        api_key(answers, SecretKey(name="speech-keys", key="other"), None, {})


def test_who_may_not_read_the_secret_sets_a_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    forbids = kubectl(tmp_path, monkeypatch, "echo 'Error from server (Forbidden): secrets ...' >&2; exit 1")
    with pytest.raises(RefusedError, match="Set TTS_API_KEY to yours; you may not read the Secret 'speech-keys'"):
        api_key(forbids, SECRET, None, {})


@pytest.mark.parametrize(
    "content, wanted, complaint",
    [
        ("k3y-a,k3y-b", None, "--key-name: key-1, key-2"),
        ("k3y-a k3y-b", "key-3", "no API key has the name 'key-3'; there are key-1, key-2"),
        ("", None, "has 0 API keys"),
        ('[{"name": "k3y-a"}]', None, "does not contain valid API keys"),
        ("[" * 100_000, None, "does not contain valid API keys"),
        ('[{"name": "shop", "key": "k3y-a"}, {"name": "app", "key": "k3y-b"}]', None, "--key-name: app, shop"),
    ],
)
def test_a_key_is_chosen_by_its_name_and_never_shown(content: str, wanted: str | None, complaint: str) -> None:
    with pytest.raises(RefusedError) as caught:
        choose(content, wanted)
    assert complaint in str(caught.value)
    assert "k3y" not in str(caught.value)


def test_a_plain_list_is_numbered_as_the_server_numbers_it() -> None:
    assert choose("k3y-a, k3y-b", "key-2") == "k3y-b"
