"""Requests that do not end well: the engine fails, the deadline passes, or the client has left."""

import contextlib
import json
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest
import requests

from .conftest import FAILING, ROOT, Server, running, wait_until, wait_until_ready

SPEECH = "/v1/audio/speech"


@pytest.fixture(scope="module")
def failing(cache: Path) -> Iterator[Server]:
    """A server whose engine fails or is slow when a text says so."""
    settings = {"TTS_THREADS": "1", "TTS_QUEUE_SECONDS": "60", "TTS_REQUEST_TIMEOUT_SECONDS": "5"}
    with running(cache, program=FAILING, PYTHONPATH=str(ROOT), **settings) as made:
        wait_until_ready(made)
        yield made


def metric(server: Server, name: str) -> float:
    lines = server.get("/metrics").text.splitlines()
    return float(next((line for line in lines if line.startswith(name + " ")), "0 0").rpartition(" ")[2])


def events(response: requests.Response) -> list[dict[str, object]]:
    return [json.loads(line.removeprefix("data: ")) for line in response.text.splitlines() if line]


@pytest.mark.parametrize(
    "text,reason",
    [("这一句说得出来。这一句会失败。", "internal_error"), ("快。" + "很慢很慢。" * 8, "deadline_exceeded")],
)
def test_a_failure_in_the_middle_of_events_is_an_event(failing: Server, text: str, reason: str) -> None:
    rejections = f'tts_rejections_total{{reason="{reason}"}}'
    interruptions = f'tts_interruptions_total{{reason="{reason}"}}'
    before, broken = metric(failing, rejections), metric(failing, interruptions)
    response = failing.post({"input": text, "stream_format": "sse"})
    assert response.status_code == 200
    kinds = [each["type"] for each in events(response)]
    assert kinds[0] == "speech.audio.delta"
    assert kinds[-1] == "error"
    error = events(response)[-1]["error"]
    assert isinstance(error, dict)
    assert set(error) == {"message", "type", "param", "code"}
    assert error["code"] == reason
    wait_until(lambda: metric(failing, rejections) == before + 1)
    assert metric(failing, interruptions) == broken + 1


def test_a_failure_in_the_middle_of_audio_is_counted(failing: Server) -> None:
    before = metric(failing, 'tts_rejections_total{reason="internal_error"}')
    broken = metric(failing, 'tts_interruptions_total{reason="internal_error"}')
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        failing.post({"input": "这一句也说得出来。但这一句会失败。"})
    wait_until(lambda: metric(failing, 'tts_rejections_total{reason="internal_error"}') == before + 1)
    assert metric(failing, 'tts_interruptions_total{reason="internal_error"}') == broken + 1


def test_a_failure_before_the_first_audio_has_a_status_instead(failing: Server) -> None:
    broken = metric(failing, 'tts_interruptions_total{reason="internal_error"}')
    assert failing.post({"input": "这会失败。"}).status_code == 500
    assert metric(failing, 'tts_interruptions_total{reason="internal_error"}') == broken


@pytest.mark.parametrize("response_format", ["wav", "flac"])
def test_the_work_for_a_client_that_has_left_ends(
    start_failing: Callable[..., Server], gate: Path, response_format: str
) -> None:
    """WAV and FLAC are sent when they are complete, so no write finds out that the client has left."""
    server = start_failing(TTS_THREADS="1", TTS_QUEUE_SECONDS="60")
    text = "他要了很长的一段话。等他走了。" + "后面的没有人听，" * 56
    data = json.dumps({"input": text, "response_format": response_format}).encode()
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        head = f"POST {SPEECH} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(data)}\r\n"
        connection.sendall(head.encode() + b"\r\n" + data)
        wait_until(lambda: metric(server, "tts_audio_seconds_total") > 0)
    wait_until(lambda: any('"status": 499' in line for line in server.log))
    gate.touch()
    wait_until(lambda: metric(server, "tts_queue_seconds") == 0)
    assert metric(server, "tts_audio_seconds_total") < 50  # the whole has about a hundred
    assert server.speak("还在").status_code == 200


def test_another_client_keeps_what_one_has_left(start_failing: Callable[..., Server], gate: Path) -> None:
    server = start_failing(TTS_THREADS="1", TTS_QUEUE_SECONDS="60")
    request = {"input": "两个人都要这一段话。等一个走了。" + "两个人都要这一段话，" * 15, "response_format": "wav"}
    data = json.dumps(request).encode()
    with ThreadPoolExecutor(1) as pool:
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
            head = f"POST {SPEECH} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            connection.sendall(f"{head}Content-Length: {len(data)}\r\n\r\n".encode() + data)
            wait_until(lambda: metric(server, 'tts_cache_events_total{event="miss"}') == 1)
            asked = pool.submit(server.post, request)
            wait_until(lambda: metric(server, 'tts_cache_events_total{event="coalesced"}') == 1)
        wait_until(lambda: any('"status": 499' in line for line in server.log))
        gate.touch()
        whole = asked.result()
    assert whole.status_code == 200
    assert whole.headers["X-Cache"] == "coalesced"
    assert len(whole.content) > 24_000 * 2 * 20


def test_a_body_that_does_not_arrive_has_a_deadline(server: Server) -> None:
    with contextlib.ExitStack() as stack:
        waiting = []
        for kind in ("application/x-www-form-urlencoded", "application/json", "text/plain"):
            connection = socket.create_connection(("127.0.0.1", server.port), timeout=60)
            waiting.append(stack.enter_context(connection))
            head = f"POST /api/tts HTTP/1.1\r\nHost: x\r\nContent-Type: {kind}\r\nContent-Length: 100\r\n\r\ntext="
            connection.sendall(head.encode())
        for connection in waiting:
            wait_until(partial(has_head, connection))
            assert b" 408 " in connection.recv(1 << 16)


def has_head(connection: socket.socket) -> bool:
    """Whether the head of a response has come. Waits until anything has."""
    return connection.recv(1 << 16, socket.MSG_PEEK).count(b"\r\n\r\n") > 0


@pytest.mark.parametrize(
    "body,status,code",
    [
        (b"text=" + "好".encode(), 200, None),
        (b"text=%E5%A5%BD&text=" + b"x" * 400 + b"&voice=", 200, None),  # the first of a name counts
        (b"text=%FF", 400, "invalid_form"),
        (b"text=\xff", 400, "invalid_form"),
        (b"text=a" + b"&x=1" * 200, 400, "invalid_form"),
        (b"", 400, "invalid_value"),
    ],
)
def test_forms(server: Server, body: bytes, status: int, code: str | None) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    response = requests.post(server.url + "/api/tts", data=body, headers=headers, timeout=30)
    assert response.status_code == status
    assert code is None or response.json()["error"]["code"] == code
