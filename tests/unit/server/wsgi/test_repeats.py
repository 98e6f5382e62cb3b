"""Which requests count as repeats of each other by their bytes."""

import pytest

from tts_server.wsgi.repeats import head_of

HEAD = b"POST /v1/audio/speech HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n%b\r\n{}"


def head(*lines: bytes) -> bytes:
    return HEAD % b"".join(line + b"\r\n" for line in lines)


@pytest.mark.parametrize(
    "one,other",
    [
        ((b"X-Request-Id: 1",), (b"x-request-id: 2",)),
        ((b"X-Request-Id: 1",), ()),
        ((b"X-Forwarded-For: 10.0.0.1, 10.0.0.2",), (b"X-Forwarded-For: ::1",)),
        ((b"traceparent: 00-ab-cd-01", b"X-Real-Ip: 1.2.3.4"), (b"X-Real-Ip: 4.3.2.1",)),
    ],
)
def test_headers_that_proxies_vary_do_not_count(one: tuple[bytes, ...], other: tuple[bytes, ...]) -> None:
    first, second = head_of(head(*one)), head_of(head(*other))
    assert first
    assert second
    assert first.digest == second.digest


@pytest.mark.parametrize(
    "lines",
    [
        (b"Authorization: Bearer other",),
        (b"Content-Type: application/json",),
        (b"Content-Length: 3",),
        (b"Transfer-Encoding: chunked",),
        (b"Origin: https://example.com",),
        (b"X-Request-Id: 1", b" folded"),
        (b"X-Request-Id : 1",),
        (b"X-Request-Id: 1\x0b",),
        (b"X-Request-Id: \xff",),
        (b"X-Request-Id: 1\nContent-Length: 3",),
        (b"X-Request-Id: 1\rContent-Length: 3",),
        (b"X-Other: 1\nX-Request-Id: 1",),
    ],
)
def test_all_else_counts(lines: tuple[bytes, ...]) -> None:
    plain, changed = head_of(head()), head_of(head(*lines))
    assert plain
    assert changed
    assert plain.digest != changed.digest


def test_where_a_head_ends_and_what_its_id_is() -> None:
    data = head(b"X-Request-Id:  abc-1 ")
    found = head_of(data)
    assert found
    assert (found.size, found.request_id) == (len(data) - 2, "abc-1")


@pytest.mark.parametrize(
    "data",
    [
        HEAD[:40],
        b"",
        b"\r\n\r\n",
        head(b"X-Request-Id: 1", b"X-Request-ID: 2"),  # the parser joins them
        head(b"X-Long: " + b"x" * 5000),
    ],
)
def test_what_is_not_compared(data: bytes) -> None:
    assert head_of(data) is None
