"""Requests at a constant rate, whether the earlier ones are answered or not, and an honest count of what came of them.

An open loop: a service that gets slow does not get fewer requests. Everything counts as failed that a caller would
call so: no connection, no answer in time, any status but 200 (also 503), and a body that is no sound.

From this machine, through an Ingress, a node port or (on devcluster) a Service's own address:

    with loading([url], rate=25) as load:
        ...  # a rollout
    assert load.tally.failures == ()
    assert load.tally.sent >= 2000
    assert load.tally.versions.keys() == {"", "b"}
"""

from __future__ import annotations

import asyncio
import itertools
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import aiohttp

TEXTS = ("您好", "好的", "谢谢", "再见", "请稍等", "没问题")
"""Short, and after their first time answered from a cache."""
VERSION = "X-Version"
"""The header by which the images of tests/e2e/faults name themselves; the server as it is has none."""
MOST = 20_000
IN_FLIGHT = 1000
"""More than so many at a time are not sent: they count as failures."""
_SHOWN = 300


@dataclass(frozen=True)
class Failure:
    """A request that a caller would call failed."""

    at: float
    """Seconds from the beginning of the load to the sending of the request."""
    number: int
    status: int
    """0 where there was no answer."""
    seconds: float
    version: str
    kept_alive: bool
    """Whether it went over a connection that may have been used before."""
    body: str
    """Its beginning, or the error."""


@dataclass(frozen=True)
class Answer:
    """A request that was answered with sound."""

    at: float
    seconds: float
    version: str


@dataclass(frozen=True)
class Tally:
    """What came of all requests."""

    seconds: float
    answers: tuple[Answer, ...]
    failures: tuple[Failure, ...]

    @property
    def sent(self) -> int:
        return len(self.answers) + len(self.failures)

    @property
    def versions(self) -> Counter[str]:
        """How many sounds came from each version; "" is the server that has no name."""
        return Counter(each.version for each in self.answers)

    def quantile(self, share: float) -> float:
        """Seconds within which this share of the answered requests was answered."""
        times = sorted(each.seconds for each in self.answers)
        return times[min(len(times) - 1, int(share * len(times)))] if times else 0.0

    def told(self) -> str:
        """A line for a test's message."""
        shown = "".join(f"\n  {each}" for each in self.failures[:20])
        return (
            f"{self.sent} requests in {self.seconds:.1f} s, {len(self.failures)} failed, {dict(self.versions)},"
            f" P50 {self.quantile(0.5):.3f} s, P99 {self.quantile(0.99):.3f} s{shown}"
        )


@dataclass
class Load:
    """Requests that are being sent; also to look at while they are."""

    urls: Sequence[str]
    """Base addresses, used in turn."""
    rate: float
    """Requests a second."""
    texts: Sequence[str] = TEXTS
    headers: Mapping[str, str] = field(default_factory=dict)
    """Such as Host, for an Ingress."""
    most: int = MOST
    timeout: float = 30.0
    new_connections: int = 2
    """One of so many requests opens a connection of its own; the others use those that are open. 1: all; 0: none."""
    answers: list[Answer] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    tally: Tally | None = None
    """There when the load has ended."""
    _stopped: threading.Event = field(default_factory=threading.Event)

    @property
    def answered(self) -> int:
        return len(self.answers)

    def stop(self) -> None:
        """Send no more; what is on its way is still counted."""
        self._stopped.set()

    async def run(self) -> Tally:
        """Send until `stop`, or `most` requests; return when all are answered or given up."""
        begin = time.monotonic()
        running: set[asyncio.Task[None]] = set()
        keep = aiohttp.TCPConnector(limit=0, keepalive_timeout=60)
        anew = aiohttp.TCPConnector(limit=0, force_close=True)
        async with aiohttp.ClientSession(connector=keep) as kept, aiohttp.ClientSession(connector=anew) as single:
            for number in range(self.most):
                await asyncio.sleep(max(0.0, begin + number / self.rate - time.monotonic()))
                if self._stopped.is_set():
                    break
                if len(running) >= IN_FLIGHT:
                    at = time.monotonic() - begin
                    self.failures.append(Failure(at, number, 0, 0.0, "", False, f"{IN_FLIGHT} requests are on the way"))
                    continue
                fresh = bool(self.new_connections) and number % self.new_connections == 0
                task = asyncio.create_task(self._one(single if fresh else kept, number, begin, kept_alive=not fresh))
                running.add(task)
                task.add_done_callback(running.discard)
            if running:
                await asyncio.wait(running)
        self.tally = Tally(time.monotonic() - begin, tuple(self.answers), tuple(self.failures))
        return self.tally

    async def _one(self, session: aiohttp.ClientSession, number: int, begin: float, *, kept_alive: bool) -> None:
        sent = time.monotonic()
        status, version, said = 0, "", ""
        try:
            async with session.post(
                f"{self.urls[number % len(self.urls)]}/v1/audio/speech",
                json={"input": self.texts[number % len(self.texts)], "response_format": "wav"},
                headers=self.headers,
                timeout=aiohttp.ClientTimeout(total=self.timeout),
                allow_redirects=False,
            ) as response:
                status, version = response.status, response.headers.get(VERSION, "")
                body = await response.read()
                said = _problem(status, body)
        except (aiohttp.ClientError, TimeoutError, asyncio.TimeoutError, OSError) as error:
            said = f"{type(error).__name__}: {error}"
        seconds = time.monotonic() - sent
        if said:
            self.failures.append(Failure(sent - begin, number, status, seconds, version, kept_alive, said))
        else:
            self.answers.append(Answer(sent - begin, seconds, version))


def _problem(status: int, body: bytes) -> str:
    """Why this is no sound; empty where it is some: whether it is speech is the gate's business."""
    shown = body[:_SHOWN].decode(errors="replace")
    if status != 200:
        return shown or "(no body)"
    if body[:4] != b"RIFF" or body[8:12] != b"WAVE":
        return shown or "(an empty answer)"
    promised = int.from_bytes(body[4:8], "little") + 8
    if promised < 0xFFFFFFFF and len(body) != promised:
        return f"{len(body)} bytes of sound, {promised} were promised"
    return "" if len(body) > 44 else "sound of no length"


@contextmanager
def loading(urls: Sequence[str], *, rate: float, begun: int = 1, **how: object) -> Iterator[Load]:
    """Send while the block runs, from a thread with an event loop of its own; `how` are the fields of :class:`Load`.

    The block begins when `begun` requests are done, so that what it does happens under load.
    """
    load = Load(urls, rate, **how)  # type: ignore[arg-type] # as they are named there
    problem: list[BaseException] = []

    def run() -> None:
        try:
            asyncio.run(load.run())
        except BaseException as error:  # noqa: BLE001 - raised again where it is seen
            problem.append(error)

    thread = threading.Thread(target=run, name="load", daemon=True)
    thread.start()
    try:
        pause = threading.Event()
        for _ in itertools.takewhile(lambda _: len(load.answers) + len(load.failures) < begun, itertools.count()):
            assert thread.is_alive(), f"the load has ended: {problem or load.tally}"
            pause.wait(0.01)
        yield load
    finally:
        load.stop()
        thread.join(load.timeout + 10)
    assert not thread.is_alive(), "the load does not end"
    if problem:
        raise problem[0]
