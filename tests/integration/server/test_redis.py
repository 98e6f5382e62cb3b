"""The cache that servers share, in a real Redis; and that without Redis nothing is lost but time."""

import contextlib
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import redis

from devcluster.debian import Requirement, ensure
from devcluster.progress import Progress

from .conftest import Server, free_port, wait_until

TEXT = "同样的文字，别的服务器说过。"


@contextlib.contextmanager
def running_redis(folder: Path) -> Iterator[tuple["subprocess.Popen[bytes]", int]]:
    ensure([Requirement("redis-server", "redis-server")], Progress())
    port = free_port()
    command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        try:
            wait_until(lambda: listens(port))
            yield process, port
        finally:
            process.send_signal(signal.SIGCONT)
            process.terminate()
            process.wait(20)


def listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def source(server: Server, text: str, **more: str) -> str:
    return server.speak(text, **more).headers["X-Cache"]


def test_a_sound_is_shared_and_checked(start: Callable[..., Server], tmp_path: Path) -> None:
    with running_redis(tmp_path) as (_, port), redis.Redis(port=port) as client:
        url = f"redis://127.0.0.1:{port}/0"
        first, second = (start(TTS_REDIS_URL=url, TTS_THREADS="1") for _ in range(2))
        said = first.speak(TEXT)
        assert said.headers["X-Cache"] == "miss"
        wait_until(lambda: client.dbsize() == 1)
        assert 0 < client.ttl(client.keys()[0]) <= 604_800
        heard = second.speak(TEXT)
        assert (heard.headers["X-Cache"], heard.content) == ("hit", said.content)
        assert source(second, TEXT, response_format="mp3") == "hit"
        # What is damaged in Redis is made again.
        [key] = client.keys()
        client.setrange(key, 5000, b"damaged")
        third = start(TTS_REDIS_URL=url, TTS_THREADS="1")
        again = third.speak(TEXT)
        assert (again.headers["X-Cache"], again.content) == ("miss", said.content)


def test_without_redis_it_is_slower_and_never_an_error(start: Callable[..., Server], tmp_path: Path) -> None:
    with running_redis(tmp_path) as (process, port):
        server = start(TTS_REDIS_URL=f"redis://127.0.0.1:{port}/0", TTS_THREADS="1")
        assert source(server, "好的") == "miss"
        process.send_signal(signal.SIGSTOP)  # accepts connections and never answers
        for number in range(5):
            assert source(server, f"停住了{'一' * number}") == "miss"
        assert 'tts_redis_events_total{operation="get",result="skipped"}' in server.get("/metrics").text
        process.send_signal(signal.SIGCONT)
        wait_until(lambda: any("Redis fails" in line for line in server.log))
        # It is used again once it answers.
        words = iter(range(1000))
        wait_until(
            lambda: (
                bool(source(server, "回来" + "了" * (next(words) % 30)))
                and any("Redis answers again" in line for line in server.log)
            )
        )
    assert source(server, "完全没有了") == "miss"  # refuses connections


def test_an_address_that_is_none_is_said(start: Callable[..., Server]) -> None:
    server = start(ready=False, TTS_REDIS_URL="http://:secret@cache")
    assert server.process.wait(60) == 2
    wait_until(lambda: any("TTS_REDIS_URL must begin with redis://" in line for line in server.log))
    assert not any("secret" in line for line in server.log)
