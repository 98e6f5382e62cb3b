"""Whatever comes in, a clear answer goes out, and the server lives on."""

import contextlib
import socket
from collections.abc import Iterator

import pytest
import requests

from .conftest import Server

JSON = {"Content-Type": "application/json"}


@pytest.fixture(autouse=True)
def lives_on(server: Server) -> Iterator[None]:
    yield
    assert server.process.poll() is None
    assert server.get("/health").status_code == 200
    assert len(server.speak("好").content) > 1000
    assert not [line for line in server.log if '"exception"' in line or "Traceback" in line]


def check(response: requests.Response, status: int, says: str) -> None:
    assert response.status_code == status, response.text
    assert response.headers["Content-Type"] == "application/json"
    error = response.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert says in error["message"]
    assert error["message"].endswith(".")


@pytest.mark.parametrize(
    "body,says",
    [
        (b'{"input": ""}', "empty"),
        (b'{"input": 5}', "must be a string"),
        (b'{"model": "fastspeech2"}', "Missing required field 'input'"),
        ('{"input": "%s"}' % ("好" * 501), "has 501 characters, but the limit is 500"),
        ('{"input": "😀🎉"}', "contains nothing that can be pronounced"),
        (rb'{"input": "\u0000\u0007\u200b"}', "contains nothing that can be pronounced"),
        ('{"input": "，。！？……"}', "contains nothing that can be pronounced"),
        (rb'{"input": "\ud83d"}', "not valid Unicode"),
        (b'{"input": "a"', "not valid JSON"),
        (b"", "not valid JSON"),
        (bytes(range(256)), "not valid JSON"),
        ('{"input": "好", "voice": "alloy"}', "Unknown voice 'alloy'. Available voices: baker"),
        ('{"input": "好", "response_format": "ogg"}', "must be one of 'mp3', 'opus'"),
        ('{"input": "好", "speed": 9}', "from 0.25 to 4"),
    ],
)
def test_bad_requests(server: Server, body: bytes | str, says: str) -> None:
    data = body.encode() if isinstance(body, str) else body
    check(requests.post(server.url + "/v1/audio/speech", data=data, headers=JSON, timeout=10), 400, says)


def test_other_refusals(server: Server) -> None:
    speech = server.url + "/v1/audio/speech"
    check(server.post({"input": "好", "model": "tts-1"}), 404, "The model 'tts-1' does not exist")
    check(requests.post(speech, data="好".encode(), timeout=10), 415, "must be application/json")
    check(requests.post(speech, data={"input": "好"}, timeout=10), 415, "must be application/json")
    check(requests.get(speech, timeout=10), 405, "Use POST")
    check(requests.delete(server.url + "/", timeout=10), 405, "Use GET")
    check(requests.get(server.url + "/../etc/passwd", timeout=10), 404, "No such endpoint")


def test_ten_megabytes(server: Server) -> None:
    body = b'{"input": "' + b"a" * 10_000_000 + b'"}'
    check(requests.post(server.url + "/v1/audio/speech", data=body, headers=JSON, timeout=10), 413, "larger than")


def test_ten_megabytes_in_chunks(server: Server) -> None:
    chunks = (b"a" * 10_000 for _ in range(1000))
    check(requests.post(server.url + "/v1/audio/speech", data=chunks, headers=JSON, timeout=10), 413, "larger than")


def test_html_and_unknown_characters_are_spoken_or_skipped(server: Server) -> None:
    for text in ("<script>alert('您好')</script>", "您\u202e好", "Привет 您好", "您好" + "\u0301" * 400, "🇨🇳您好"):
        assert len(server.speak(text).content) > 20_000


def test_not_http(server: Server) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(b"\x16\x03\x01 hello\r\n\r\n")
        assert b"400" in connection.recv(1000)


def test_clients_that_leave(server: Server) -> None:
    head = b"POST /v1/audio/speech HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 40\r\n\r\n"
    for request in (head, head + b'{"input": "', head + '{"input": "走了走了走了走"}     '.encode()):
        for _ in range(10):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", server.port), timeout=10) as gone:
                gone.sendall(request)
    assert server.speak("还在").status_code == 200


def test_clients_that_never_finish_do_not_stop_others(server: Server) -> None:
    """Slow loris: connections that send a little and then wait."""
    head = b"POST /v1/audio/speech HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 40\r\n"
    with contextlib.ExitStack() as held:
        for request in (b"POST", head, head + b'\r\n{"input": "'):
            for _ in range(50):
                connection = held.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=10))
                connection.sendall(request)
        assert server.get("/ready").status_code == 200
        assert server.speak("他们慢，我们不慢").status_code == 200
