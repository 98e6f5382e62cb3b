"""The cache that servers share, in a real Redis; and that without Redis nothing is lost but time."""

import contextlib
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import redis

from devcluster.host.debian import Requirement, ensure
from devcluster.progress import Progress

from .conftest import Server, free_port, hang, wait_until

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


def url_of(port: int, seconds: int = 30) -> str:
    """The address of Redis for a server that waits so long for it. Otherwise it soon does without (docs/server.md)."""
    return f"redis://127.0.0.1:{port}/0?socket_connect_timeout={seconds}&socket_timeout={seconds}"


def listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def source(server: Server, text: str, **more: str) -> str:
    return server.speak(text, **more).headers["X-Cache"]


def test_a_sound_is_shared_and_checked(start_together: Callable[..., list[Server]], tmp_path: Path) -> None:
    with running_redis(tmp_path) as (_, port), redis.Redis(port=port) as client:
        settings = {"TTS_REDIS_URL": url_of(port), "TTS_THREADS": "1"}
        first, second, third = start_together(*[settings] * 3)
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
        again = third.speak(TEXT)
        assert (again.headers["X-Cache"], again.content) == ("miss", said.content)


OTHER_TEXT = "另一句话，不该在这里听到。"
GIANT_BYTES = 256 << 20
TENANT = {"TTS_REDIS_PREFIX": "tts:shop:uid-1:", "TTS_REDIS_SIGNING_KEY": "A" * 43}
NEIGHBOUR = {"TTS_REDIS_PREFIX": "tts:evil:uid-2:", "TTS_REDIS_SIGNING_KEY": "B" * 43}
Attack = Callable[["redis.Redis", str, str, str], object]
"""Is given Redis, the name of the entry to poison, that of another one of the same tenant, and that of a neighbour."""
ATTACKS: dict[str, Attack] = {
    "another tenant's entry": lambda client, name, _, theirs: client.copy(theirs, name, replace=True),
    "another sound's entry": lambda client, name, other, _: client.copy(other, name, replace=True),
    "cut off": lambda client, name, *_: client.set(name, client.getrange(name, 0, 20_000)),
    "nothing but a head": lambda client, name, *_: client.set(name, client.getrange(name, 0, 23)),
    "one bit of the sound": lambda client, name, *_: flip(client, name, 30_000),
    "one bit of the signature": lambda client, name, *_: flip(client, name, 10),
    "longer": lambda client, name, *_: client.append(name, b"\0\0"),
    "giant": lambda client, name, *_: client.setrange(name, GIANT_BYTES, b"x"),
    "no string at all": lambda client, name, *_: (client.delete(name), client.rpush(name, b"x")),
    "deleted": lambda client, name, *_: client.delete(name),
}


def flip(client: "redis.Redis", name: str, place: int) -> None:
    byte = client.getrange(name, place, place)
    assert isinstance(byte, bytes)
    client.setrange(name, place, bytes([byte[0] ^ 1]))


def names(client: "redis.Redis") -> set[str]:
    found = client.keys()
    assert isinstance(found, list)
    return {name.decode() for name in found}


def entry_of(client: "redis.Redis", speak: Callable[[], object]) -> str:
    """The name of the entry that speaking makes."""
    before = names(client)
    speak()
    wait_until(lambda: len(names(client) - before) == 1)
    [name] = names(client) - before
    return name


def figure(server: Server, name: str) -> float:
    """One metric; 0 where there is none yet."""
    lines = server.get("/metrics").text.splitlines()
    return next((float(line.split()[-1]) for line in lines if line.startswith(name + " ")), 0.0)


def has_stored_all(server: Server) -> bool:
    """Whether Redis has all that the server has made: it stores it in the background."""
    stored = figure(server, 'tts_redis_events_total{operation="set",result="stored"}')
    return stored == figure(server, 'tts_cache_events_total{event="miss"}')


def test_no_other_tenant_of_a_redis_decides_what_is_heard(
    start_together: Callable[..., list[Server]], tmp_path: Path
) -> None:
    with running_redis(tmp_path) as (_, port), redis.Redis(port=port) as client:
        settings = {"TTS_REDIS_URL": url_of(port), "TTS_THREADS": "1", "TTS_CACHE_SIZE_MIB": "0"}
        server, neighbour = start_together(settings | TENANT, settings | NEIGHBOUR)
        said = server.speak(TEXT)
        wait_until(lambda: client.dbsize() == 1)
        [name] = names(client)
        assert name.startswith("tts:shop:uid-1:")
        other = entry_of(client, lambda: server.speak(OTHER_TEXT))
        theirs = entry_of(client, lambda: neighbour.speak(TEXT))  # of the same text, and not heard by the tenant
        memory = figure(server, "process_resident_memory_bytes")
        for what, attack in ATTACKS.items():
            wait_until(lambda: has_stored_all(server))
            assert source(server, TEXT) == "hit"  # the last attack has left nothing behind
            damaged = figure(server, 'tts_redis_events_total{operation="get",result="damaged"}')
            attack(client, name, other, theirs)
            heard = server.speak(TEXT)
            assert (heard.headers["X-Cache"], heard.content) == ("miss", said.content), what
            noticed = figure(server, 'tts_redis_events_total{operation="get",result="damaged"}') - damaged
            assert noticed == (what != "deleted"), what
        assert figure(server, "process_resident_memory_bytes") - memory < 64 << 20
        assert figure(server, 'tts_redis_events_total{operation="get",result="error"}') == 0
        assert source(neighbour, TEXT) == "hit"


def test_servers_of_a_tenant_share(start_together: Callable[..., list[Server]], tmp_path: Path) -> None:
    with running_redis(tmp_path) as (_, port), redis.Redis(port=port) as client:
        settings = {"TTS_REDIS_URL": url_of(port), "TTS_THREADS": "1", **TENANT}
        first, second = start_together(*[settings] * 2)
        entry_of(client, lambda: first.speak(TEXT))
        assert source(second, TEXT) == "hit"


def test_without_redis_it_is_slower_and_never_an_error(start: Callable[..., Server], tmp_path: Path) -> None:
    with running_redis(tmp_path) as (process, port):
        # Without a cache in memory, it asks Redis for every text, also for one that it has spoken.
        server = start(TTS_REDIS_URL=f"redis://127.0.0.1:{port}/0", TTS_THREADS="1", TTS_CACHE_SIZE_MIB="0")
        assert source(server, "好的") == "miss"
        hang(process)  # accepts connections and never answers
        for number in range(5):
            assert source(server, f"停住了{'一' * number}") == "miss"
        assert 'tts_redis_events_total{operation="get",result="skipped"}' in server.get("/metrics").text
        process.send_signal(signal.SIGCONT)
        wait_until(lambda: any("Redis is unavailable" in line for line in server.log))
        # It is used again once it answers.
        wait_until(
            lambda: bool(source(server, "回来了")) and any("Redis is available again" in line for line in server.log),
            60,
            every=0.2,
        )
    assert source(server, "完全没有了") == "miss"  # refuses connections


def test_an_address_that_is_none_is_said(start: Callable[..., Server]) -> None:
    server = start(ready=False, TTS_REDIS_URL="http://:secret@cache")
    assert server.process.wait(60) == 2
    wait_until(lambda: any("TTS_REDIS_URL must begin with redis://" in line for line in server.log))
    assert not any("secret" in line for line in server.log)
