"""Requests at a constant rate, and their outcomes.

This is an open loop: a slow service does not get fewer requests. Whatever a client would call a failure counts as one:
no connection, a timeout, any status but 200 (including 503), and a body that is not audio.

It runs on this machine, and sends to an Ingress, a node port or (on devcluster) a Service's address:

    with loading([url], rate=25) as load:
        ...  # a rollout
    assert load.result.failures == ()
    assert load.result.sent >= 2000
    assert load.result.versions.keys() == {"", "b"}
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
"""Short texts; all but the first requests are answered from the cache."""
VERSION = "X-Version"
"""The response header that identifies the images of tests/e2e/faults. The original server does not send it."""
MOST = 20_000
IN_FLIGHT = 1000
"""The maximum number of concurrent requests. Requests beyond it are not sent, and count as failures."""
_SHOWN = 300


@dataclass(frozen=True)
class Failure:
    """A failed request."""

    at: float
    """Seconds from the start of the load until the request was sent."""
    number: int
    status: int
    """0 if there was no response."""
    seconds: float
    version: str
    kept_alive: bool
    """Whether it used a connection from the keep-alive pool."""
    body: str
    """The start of the response body, or the error."""


@dataclass(frozen=True)
class Answer:
    """A request that was answered with audio."""

    at: float
    seconds: float
    version: str


@dataclass(frozen=True)
class LoadResult:
    """The outcome of all requests."""

    seconds: float
    answers: tuple[Answer, ...]
    failures: tuple[Failure, ...]

    @property
    def sent(self) -> int:
        return len(self.answers) + len(self.failures)

    @property
    def versions(self) -> Counter[str]:
        """The number of successful responses by version. The original server is ""."""
        return Counter(each.version for each in self.answers)

    def quantile(self, share: float) -> float:
        """Return a quantile of the seconds that successful requests took."""
        times = sorted(each.seconds for each in self.answers)
        return times[min(len(times) - 1, int(share * len(times)))] if times else 0.0

    def summary(self) -> str:
        """Summarize the result for the message of an assertion."""
        shown = "".join(f"\n  {each}" for each in self.failures[:20])
        return (
            f"{self.sent} requests in {self.seconds:.1f} s, {len(self.failures)} failed, {dict(self.versions)},"
            f" P50 {self.quantile(0.5):.3f} s, P99 {self.quantile(0.99):.3f} s{shown}"
        )


@dataclass
class Load:
    """A load, which can be inspected while it runs."""

    urls: Sequence[str]
    """Base URLs, used in turn."""
    rate: float
    """Requests per second."""
    texts: Sequence[str] = TEXTS
    headers: Mapping[str, str] = field(default_factory=dict)
    """Request headers, such as Host for an Ingress."""
    most: int = MOST
    timeout: float = 30.0
    new_connections: int = 2
    """Every so many requests, one opens a new connection; the others use keep-alive. 1: all do; 0: none does."""
    answers: list[Answer] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    result: LoadResult | None = None
    """Set when the load has ended."""
    _stopped: threading.Event = field(default_factory=threading.Event)

    @property
    def answered(self) -> int:
        return len(self.answers)

    def stop(self) -> None:
        """Stop sending. Requests in flight still count."""
        self._stopped.set()

    async def run(self) -> LoadResult:
        """Send until `stop`, or until `most` requests have been sent. Return when all have completed."""
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
                    self.failures.append(Failure(at, number, 0, 0.0, "", False, f"{IN_FLIGHT} requests are in flight"))
                    continue
                fresh = bool(self.new_connections) and number % self.new_connections == 0
                task = asyncio.create_task(self._one(single if fresh else kept, number, begin, kept_alive=not fresh))
                running.add(task)
                task.add_done_callback(running.discard)
            if running:
                await asyncio.wait(running)
        self.result = LoadResult(time.monotonic() - begin, tuple(self.answers), tuple(self.failures))
        return self.result

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
    """Return why a response is not audio, or "" if it is. Whether it is speech is not checked here."""
    shown = body[:_SHOWN].decode(errors="replace")
    if status != 200:
        return shown or "(no body)"
    if body[:4] != b"RIFF" or body[8:12] != b"WAVE":
        return shown or "(empty body)"
    promised = int.from_bytes(body[4:8], "little") + 8
    if promised < 0xFFFFFFFF and len(body) != promised:
        return f"{len(body)} bytes of audio, but the header says {promised}"
    return "" if len(body) > 44 else "empty audio"


@contextmanager
def loading(urls: Sequence[str], *, rate: float, begun: int = 1, **how: object) -> Iterator[Load]:
    """Run a load while the block runs, in a thread with its own event loop. `how` are fields of :class:`Load`.

    The block starts once `begun` requests have completed, so that it runs under load.
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
            assert thread.is_alive(), f"the load has ended: {problem or load.result}"
            pause.wait(0.01)
        yield load
    finally:
        load.stop()
        thread.join(load.timeout + 10)
    assert not thread.is_alive(), "the load did not end"
    if problem:
        raise problem[0]
