"""What happens on a connection beside requests and their responses: drain, clients that do not read, bad HTTP."""

import http.client
import json
import socket
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from .conftest import Server, running, wait_until, wait_until_ready

SPEECH = "/v1/audio/speech"
JSON = {"Content-Type": "application/json"}
MISSES = 'tts_cache_events_total{event="miss"}'
"""Counted when a request has been read, and its synthesis begins."""


def body(text: str, response_format: str = "wav", **fields: Any) -> bytes:
    return json.dumps({"input": text, "response_format": response_format, **fields}).encode()


def raw(text: str, response_format: str = "wav", *more: str, **fields: Any) -> bytes:
    """A whole request in one piece, as a proxy sends it."""
    data = body(text, response_format, **fields)
    head = ["POST /v1/audio/speech HTTP/1.1", "Host: x", "Content-Type: application/json", *more]
    return "\r\n".join([*head, f"Content-Length: {len(data)}", "", ""]).encode() + data


def answer(connection: socket.socket) -> http.client.HTTPResponse:
    """The next response, with its body read."""
    response = http.client.HTTPResponse(connection)
    response.begin()
    response.body = response.read()  # type: ignore[attr-defined] # for the tests
    return response


def test_a_drain_closes_keep_alive_connections(start: Callable[..., Server]) -> None:
    """Requests that a proxy sends on a connection that SIGTERM closes may be lost."""
    server = start()
    connections = [http.client.HTTPConnection("127.0.0.1", server.port, timeout=30) for _ in range(3)]
    requested = (("GET", "/health", None), ("POST", SPEECH, body("再见")), ("POST", SPEECH, body("您好")))

    def ask(connection: http.client.HTTPConnection, what: tuple[str, str, bytes | None]) -> http.client.HTTPResponse:
        connection.request(*what, headers=JSON)
        response = connection.getresponse()
        assert len(response.read()) > 0
        return response

    for connection, what in zip(connections, requested, strict=True):
        assert ask(connection, what).getheader("Connection") == "keep-alive"
    assert ask(connections[2], requested[2]).getheader("X-Cache") == "hit"
    assert server.run("drain").returncode == 0
    for connection, what in zip(connections, requested, strict=True):
        response = ask(connection, what)
        assert response.getheader("Connection") == "close"
        assert response.status == 200
        connection.sock = None  # http.client has closed it
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as last:
        last.sendall(raw("您好"))
        assert answer(last).getheader("X-Cache") == "hit"
        assert last.recv(1) == b""  # the server closes, not only the client


def test_a_response_under_way_when_a_drain_begins_closes_its_connection(
    start_failing: Callable[..., Server], gate: Path
) -> None:
    server = start_failing(TTS_THREADS="1", TTS_REQUEST_TIMEOUT_SECONDS="100")
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection:
        connection.sendall(raw("这句话要等一等。"))
        wait_until(lambda: metric(server, MISSES) == 1)
        assert server.run("drain").returncode == 0
        gate.touch()
        assert answer(connection).getheader("Connection") == "close"


def metric(server: Server, name: str) -> float:
    line = next(line for line in server.get("/metrics").text.splitlines() if line.startswith(name + " "))
    return float(line.split()[1])


def open_files(server: Server) -> float:
    return metric(server, "process_open_fds")


LARGE: dict[str, Any] = {"sample_rate": 48_000}
"""Twice the bytes for the same speech: more than the buffers of a connection hold."""


@pytest.fixture(scope="module")
def impatient(cache: Path) -> Iterator[Server]:
    """A server that soon cuts off who does not read."""
    settings = {"TTS_THREADS": "2", "TTS_SEND_TIMEOUT_SECONDS": "1", "TTS_QUEUE_SECONDS": "60"}
    with running(cache, **settings) as made:
        wait_until_ready(made)
        yield made


@pytest.mark.parametrize("stream_format", [None, "audio", "sse"])
def test_a_client_that_never_reads_is_cut_off(impatient: Server, stream_format: str | None) -> None:
    before, asked = min(open_files(impatient) for _ in range(5)), metric(impatient, MISSES)
    text = f"{stream_format}：" + "他要了很多，却一个字也不读，" * 18  # another one each time: not from the cache
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(("127.0.0.1", impatient.port))
        connection.sendall(raw(text, stream_format=stream_format, **LARGE))
        wait_until(lambda: metric(impatient, MISSES) > asked)
        wait_until(lambda: open_files(impatient) <= before, 60)


@pytest.mark.parametrize("response_format", ["wav", "mp3"])
def test_synthesis_waits_for_a_client_that_stops_reading(start: Callable[..., Server], response_format: str) -> None:
    server = start(TTS_THREADS="2", TTS_MAX_INPUT_CHARACTERS="1000", TTS_SEND_TIMEOUT_SECONDS="300")
    text = "他听得很慢，一句一句慢慢地听。" * 60  # about three minutes
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(60)
        connection.connect(("127.0.0.1", server.port))
        connection.sendall(raw(text, response_format, stream_format="audio"))
        wait_until(lambda: metric(server, "tts_audio_seconds_total") > 15)
        wait_until(lambda: metric(server, "tts_queue_seconds") == 0)
        assert metric(server, "tts_audio_seconds_total") < 80
        assert server.speak("别人不用等").headers["X-Cache"] == "miss"
        response = http.client.HTTPResponse(connection)
        response.begin()
        assert len(response.read()) > 160 * (8000 if response_format == "mp3" else 48_000)
    assert metric(server, "tts_audio_seconds_total") > 160
    assert server.speak(text, response_format=response_format).headers["X-Cache"] == "hit"


def test_a_slow_client_gets_all(start: Callable[..., Server]) -> None:
    server = start(TTS_THREADS="2", TTS_SEND_TIMEOUT_SECONDS="5", TTS_QUEUE_SECONDS="60")
    text = "他读得很慢，但是他读，" * 23
    whole = server.speak(text, **LARGE).content
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(("127.0.0.1", server.port))
        connection.sendall(raw(text, **LARGE))
        response = http.client.HTTPResponse(connection)
        response.begin()
        assert b"".join(iter(lambda: response.read(20_000), b"")) == whole


def test_a_long_text_in_a_url(server: Server) -> None:
    text = "请" + "您稍等，" * 122 + "吧"
    assert len(text) == 490
    asked = {"text": text, "format": "opus"}
    with requests.get(server.url + "/api/tts", params=asked, timeout=60, stream=True) as response:
        assert response.status_code == 200
        assert next(response.iter_content(4)) == b"OggS"


@pytest.mark.parametrize(
    "request_,status,code,says",
    [
        (b"GET /api/tts?text=%b HTTP/1.1\r\nHost: x\r\n\r\n" % (b"%E5%A5%BD" * 1000), 414, "uri_too_long", "POST"),
        (b"GET /api/tts?text=%b HTTP/1.1\r\nHost: x\r\n\r\n" % (b"%E5%A5%BD" * 9000), 414, "uri_too_long", "POST"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nX-Long: %b\r\n\r\n" % (b"x" * 9000), 431, "headers_too_large", "too large"),
        (b"GET / HTTP/1.1\r\nHost: x\r\n%b\r\n" % (b"X-Many: 1\r\n" * 200), 431, "headers_too_large", "too many"),
        (b"\x16\x03\x01 hello\r\n\r\n", 400, "invalid_http", "HTTP/1.1"),
        (b"GET / HTTP/1.1\r\nHost: x\r\n folded\r\n\r\n", 400, "invalid_http", "HTTP/1.1"),
        (
            b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
            400,
            "invalid_http",
            "HTTP",
        ),
        (b"POST / HTTP/1.1\r\nHost: x\r\nExpect: a-miracle\r\n\r\n", 417, "expectation_failed", "100-continue"),
    ],
)
def test_what_is_not_http_gets_an_error_in_json(
    server: Server, request_: bytes, status: int, code: str, says: str
) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(request_)
        response = answer(connection)
        assert response.status == status
        assert response.getheader("Content-Type") == "application/json"
        error = json.loads(response.body)["error"]  # type: ignore[attr-defined] # see answer
        assert set(error) == {"message", "type", "param", "code"}
        assert error["code"] == code
        assert says in error["message"]
        assert connection.recv(1) == b""


def test_a_body_that_is_not_valid_gets_one_answer(server: Server) -> None:
    """A second one would answer the client's next request."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(b"POST /nothing HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n")
        received = b"".join(iter(lambda: connection.recv(1 << 16), b""))
    assert received.startswith(b"HTTP/1.1 404 ")
    assert received.count(b"HTTP/1.1") == 1


@pytest.mark.parametrize(
    "chunks,status,code",
    [
        (b"zz\r\n{}\r\n0\r\n\r\n", 400, "invalid_http"),
        (b"2\r\n{}--0\r\n\r\n", 400, "invalid_http"),
        (b"-2\r\n{}\r\n0\r\n\r\n", 400, "invalid_http"),
        (b"0\r\nno trailer\r\n\r\n", 400, "invalid_http"),
        (b"20000\r\n%b\r\nzz\r\n" % bytes(0x20000), 413, "body_too_large"),
    ],
)
def test_a_chunked_body_that_is_malformed(server: Server, chunks: bytes, status: int, code: str) -> None:
    head = f"POST {SPEECH} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        connection.sendall(head.encode() + chunks)
        response = answer(connection)
        assert (response.status, json.loads(response.body)["error"]["code"]) == (status, code)  # type: ignore[attr-defined]
        assert connection.recv(1) == b""  # nobody knows where the next request begins


@pytest.mark.parametrize("framing", ["Content-Length: 100\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\nA0\r\n"])
def test_a_body_that_ends_too_early_is_not_spoken(server: Server, framing: str) -> None:
    head = f"POST /api/tts HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\n{framing}"
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        connection.sendall(head.encode() + "您好".encode())
        connection.shutdown(socket.SHUT_WR)
        response = answer(connection)
    assert response.status == 400
    assert json.loads(response.body)["error"]["code"] == "incomplete_body"  # type: ignore[attr-defined] # see answer


def test_a_body_that_nobody_reads_does_not_reset_the_connection(server: Server) -> None:
    """The reset might overtake the response."""
    data = bytes(500_000)
    head = f"POST /nothing HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {len(data)}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        connection.sendall(head.encode() + data)
        assert answer(connection).status == 404
        assert connection.recv(1) == b""


def test_what_is_logged_of_bad_http_holds_none_of_it(server: Server) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(b"GET /api/tts?text=secret\x01words HTTP/1.1\r\nHost: x\r\n\r\n")
        assert answer(connection).status == 400
    wait_until(lambda: any("invalid request" in line for line in server.log))
    assert not any("secret" in line for line in server.log)


def test_exact_repeats_are_answered_alike(server: Server) -> None:
    """Whether the parser has seen a repeat or its bytes were recognized, the client gets the same."""
    request = raw("一模一样的请求", "wav", "X-Request-Id: first-1")
    other = request.replace(b"first-1", b"second-2")
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        answers = []
        for each in (request, request, other, other):
            connection.sendall(each)
            answers.append(answer(connection))
    assert [each.getheader("X-Cache") for each in answers] == ["miss", "hit", "hit", "hit"]
    identities = [each.getheader("X-Request-Id") for each in answers]
    assert identities == ["first-1", "first-1", "second-2", "second-2"]
    assert len({each.body for each in answers}) == 1  # type: ignore[attr-defined] # see answer
    names = [{name for name, _ in each.getheaders()} for each in answers]
    assert names[0] == names[1] == names[3]
    assert answers[1].getheader("Content-Length") == answers[3].getheader("Content-Length")


@pytest.mark.parametrize(
    "fields,kind,header",
    [
        ({"response_format": "wav", "sample_rate": 8000}, "audio/wav", (8000, 1)),
        ({"response_format": "wav_mulaw", "sample_rate": 16_000}, "audio/wav", (16_000, 7)),
        ({"response_format": "wav_alaw", "volume": 0.5, "pitch": 1.2}, "audio/wav", (8000, 6)),
        ({"response_format": "pcm", "sample_rate": 16_000}, "audio/pcm;rate=16000", None),
        ({"response_format": "pcm_alaw"}, "audio/PCMA;rate=8000", None),
        ({"response_format": "g722"}, "audio/G722;rate=8000", None),
    ],
)
def test_repeats_have_the_rate_of_the_first_answer(
    server: Server, fields: dict[str, Any], kind: str, header: tuple[int, int] | None
) -> None:
    """The same with what the parser has seen and with what was recognized by its bytes. Others do not interfere."""
    others = [{"input": "同样的话"}, {"input": "同样的话", "response_format": "wav"}]
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        answers = []
        for each in (*others, *[{"input": "同样的话", **fields}] * 4, *others):
            content = json.dumps(each).encode()
            head = "POST /v1/audio/speech HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            connection.sendall(f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content)
            answers.append(answer(connection))
    mine = answers[2:6]
    assert [each.getheader("X-Cache") for each in mine[1:]] == ["hit"] * 3
    assert {each.getheader("Content-Type") for each in mine} == {kind}
    assert len({each.getheader("X-Audio-Seconds") for each in mine}) == 1
    assert len({each.body for each in mine}) == 1  # type: ignore[attr-defined] # see answer
    for repeat in mine if header else ():
        data: bytes = repeat.body  # type: ignore[attr-defined] # see answer
        assert struct.unpack_from("<I", data, 24) + struct.unpack_from("<H", data, 20) == header
        assert struct.unpack_from("<I", data, 4) == (len(data) - 8,)
    assert answers[-1].body == answers[1].body != mine[0].body  # type: ignore[attr-defined] # see answer


def test_repeats_in_pieces_and_in_a_row(server: Server) -> None:
    request = raw("分开或者连续发送的请求")
    end = request.index(b"\r\n\r\n") + 4
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for _ in range(3):
            connection.sendall(request)
            assert answer(connection).status == 200
        for pieces in (
            (request[:end], request[end:]),
            (request[: end + 5], request[end + 5 :]),
            (request[:9], request[9:]),
        ):
            for piece in pieces:
                connection.sendall(piece)
            assert answer(connection).getheader("X-Cache") == "hit"


def test_two_requests_in_one_packet_get_two_answers(server: Server) -> None:
    request = raw("两个请求", "mp3")
    health = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        connection.sendall(request)
        size = len(answer(connection).body)  # type: ignore[attr-defined] # see answer
        connection.sendall(request)
        answer(connection)
        with connection.makefile("rb") as responses:
            connection.sendall(request + health)
            head = responses.readline() + b"".join(iter(responses.readline, b"\r\n"))
            assert b"200 OK" in head
            responses.read(size)
            assert responses.readline() == b"HTTP/1.1 200 OK\r\n"


def test_a_body_that_holds_a_known_request_is_a_body(server: Server) -> None:
    """A request that is smuggled as the body of another one must never be answered."""
    known = raw("这是一个已知的请求")
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        for _ in range(2):
            connection.sendall(known)
            assert answer(connection).status == 200
        outer = b"POST /nothing HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(known)
        connection.sendall(outer)
        connection.sendall(known)
        assert answer(connection).status == 404
        connection.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        assert json.loads(answer(connection).body) == {"status": "ok"}  # type: ignore[attr-defined]


def test_another_key_is_no_repeat(start: Callable[..., Server]) -> None:
    server = start(TTS_API_KEYS="right")
    request = raw("需要钥匙的请求", "wav", "Authorization: Bearer right")
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        for _ in range(3):
            connection.sendall(request)
            assert answer(connection).status == 200
        connection.sendall(request.replace(b"Bearer right", b"Bearer wrong"))
        assert answer(connection).status == 401
        connection.sendall(request.replace(b"Authorization: Bearer right\r\n", b""))
        assert answer(connection).status == 401
