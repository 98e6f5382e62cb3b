"""Answers of the server."""

from __future__ import annotations

import io
import json
from http.client import HTTPResponse, IncompleteRead
from types import SimpleNamespace
from typing import Any

import pytest

from tests.unit.cli.jobs.documents import body
from tts_operator.cli.jobs import view
from tts_operator.cli.jobs.follow import Then, hint
from tts_operator.cli.refused import RefusedError, UnreachableError
from tts_operator.cli.server.api import Refusal, UnavailableError, parsed, refusal, refuse, whole
from tts_operator.json_object import Json

THEN = Then(flags=("--service=narrator", "--namespace=speech"))


@pytest.mark.parametrize(
    "status, code, words",
    [
        (401, "invalid_api_key", ["Set TTS_API_KEY"]),
        (404, "job_not_found", ["`kubectl tts job list --service=narrator --namespace=speech`"]),
        (404, "jobs_disabled", ["Long texts"]),
        (404, "not_found", ["newer image"]),
        (429, "too_many_jobs", ["`kubectl tts job list"]),
        (400, "unknown_voice", ["It says."]),
    ],
)
def test_a_refusal_says_what_to_type_next(status: int, code: str, words: list[str]) -> None:
    data = json.dumps({"error": {"message": "It says.", "code": code}}).encode()
    with pytest.raises(RefusedError) as caught:
        refuse(refusal(status, "", data), lambda error: hint(error, THEN))
    assert [word for word in ["It says.", *words] if word not in str(caught.value)] == []


@pytest.mark.parametrize("retry_after, pause", [("7", 7), ("0", 2), ("", 2), ("soon", 2), ("99999", 30)])
def test_what_may_succeed_later_is_tried_again(retry_after: str, pause: float) -> None:
    with pytest.raises(UnavailableError) as caught:
        refuse(Refusal(status=503, code="model_loading", message="Loading.", retry_after=retry_after), lambda _: "")
    assert caught.value.pause == pause


@pytest.mark.parametrize("data", [b"", b"<html>", b"[]", b'{"error": "no"}', b'{"error": {}}', b"[" * 100_000])
def test_an_error_without_openai_s_shape(data: bytes) -> None:
    assert refusal(502, "1", data) == Refusal(
        status=502, code="", message="the server answered with HTTP status 502", retry_after=""
    )


@pytest.mark.parametrize("most", range(21, 55))
def test_an_answer_that_breaks_off_is_none(most: int) -> None:
    with pytest.raises(IncompleteRead):
        whole(received(ANSWER[:most]))


def test_an_answer_that_is_whole() -> None:
    assert whole(received(ANSWER)) == b'{"a": "b"}'


ANSWER = b'HTTP/1.1 202 ACCEPTED\r\nContent-Length: 10\r\n\r\n{"a": "b"}'


def received(data: bytes) -> HTTPResponse:
    connection: Any = SimpleNamespace(makefile=lambda _: io.BytesIO(data))
    response = HTTPResponse(connection, method="POST")
    response.begin()
    return response


@pytest.mark.parametrize("data", [b"", b"<html>", b"[]", b"\xff", b"[" * 100_000])
def test_what_is_no_object_is_no_answer(data: bytes) -> None:
    with pytest.raises(UnreachableError, match="check what the Service leads to"):
        parsed(data)


@pytest.mark.parametrize(
    "more", [{"id": "job_1"}, {"id": None}, {"audio": {"bytes": "x"}}, {"created_at": 1e300}, {"chapters": None}]
)
def test_what_is_no_job_is_told(more: Json) -> None:
    with pytest.raises(UnreachableError, match="is not a job"):
        view.job(body(**more))
