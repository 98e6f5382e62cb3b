"""Find out how a new revision does: let its pods speak, read their metrics, ask the user's Prometheus.

What is found is evidence for the next decision; nothing is decided here.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Collection, Coroutine, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import aiohttp

from tts_operator.api import TTSService
from tts_operator.api.quantity import quantity
from tts_operator.api.rollout import PrometheusQuery
from tts_operator.keyring import Keyring
from tts_operator.policy import is_forbidden
from tts_operator.reconcile.credentials import NOT_COMPARED, STRANGER, credential, is_stranger, refused
from tts_operator.reconcile.evidence import NOTHING, Evidence, Examination, Finding, Reachable
from tts_operator.runtime.store import Key
from tts_operator.speech.check import GateResult, SpeechPlan, Target, check
from tts_operator.speech.client import scrape
from tts_operator.speech.live import Counters, LiveLimits, Traffic, between, merged, verdict
from tts_operator.speech.prometheus import MetricCheck, ask, prometheus_session
from tts_operator.speech.sentences import default_texts

SCRAPE_SECONDS = 2.0
WINDOW_SECONDS = 60.0
"""The traffic of so long is looked at, so that a sudden failure does not drown in what went well before."""
QUERY_SECONDS = 10.0
UNREACHABLE_TRIES = 3
"""A pod that does not answer at all is rather gone, or its network is not there yet."""
AGAIN_SECONDS = 2.0
CHECKS_AT_ONCE = 4
"""So many services are made to speak at a time."""

_log = logging.getLogger(__name__)


@dataclass
class _Work:
    """What is being found out about one service, as its spec and its pods are now."""

    service: TTSService
    examination: Examination
    task: asyncio.Task[None] | None = None
    """None: it has not begun."""
    asked: Mapping[str, Reachable] = field(default_factory=dict)
    """The pods that a check has begun with."""

    def goes_on(self, service: TTSService, examination: Examination) -> bool:
        """Whether it is the same that is to be found out now."""
        if self.examination.subject != examination.subject:
            return False
        asks = self.service.spec.rollout.speech_check == service.spec.rollout.speech_check
        return not examination.speaks or (asks and not examination.misses(self.uids))

    @property
    def uids(self) -> frozenset[str]:
        """Those of the pods that were asked."""
        return frozenset(pod.uid for pod in self.asked.values())


class Examiner:
    """Carries examinations out, one for each service at most."""

    def __init__(
        self,
        found: Callable[[Key], None],
        keyring: Keyring,
        *,
        never_asked: Callable[[str], bool] = is_forbidden,
    ) -> None:
        """`found` is called with a service about which there is news; by the `keyring` pods know the operator.

        `never_asked` tells of an IP address whether no Prometheus is asked there, whatever its name.
        """
        self._found = found
        self._keyring = keyring
        self._never_asked = never_asked
        self._work: dict[Key, _Work] = {}
        self._evidence: dict[Key, Evidence] = {}
        self._slots = asyncio.Semaphore(CHECKS_AT_ONCE)
        self._session: aiohttp.ClientSession | None = None
        self._prometheus: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        """Pods are asked without the operator's own credentials, and without any proxy."""
        self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=64), trust_env=False)
        self._prometheus = prometheus_session(self._never_asked)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End what is under way."""
        tasks = [work.task for work in self._work.values() if work.task is not None]
        for key in list(self._work):
            self.forget(key)
        await asyncio.gather(*tasks, return_exceptions=True)
        for session in filter(None, (self._session, self._prometheus)):
            await session.close()

    def evidence(self, key: Key) -> Evidence:
        """What has been found out so far."""
        return self._evidence.get(key, NOTHING)

    def want(self, service: TTSService, examination: Examination | None) -> None:
        """Find this out, and nothing else, about a service."""
        key = service.namespace, service.name
        work = self._work.get(key)
        if examination is None:
            self.forget(key, keep=True)
            return
        if work is None or not work.goes_on(service, examination):
            self.forget(key)
            work = self._work[key] = _Work(service, examination)
        work.service, work.examination = service, examination  # limits are changed, pods come and go
        if work.task is None and examination.ready:
            run = self._speaks if examination.speaks else self._watches
            work.task = asyncio.create_task(self._guarded(key, work, run))

    def forget(self, key: Key, *, keep: bool = False) -> None:
        """Stop; `keep` what was found."""
        work = self._work.pop(key, None)
        if work is not None and work.task is not None:
            work.task.cancel()
        if not keep:
            self._evidence.pop(key, None)

    async def _guarded(self, key: Key, work: _Work, run: Callable[[Key, _Work], Coroutine[Any, Any, None]]) -> None:
        try:
            await run(key, work)
        except Exception:  # noqa: BLE001 - one that breaks the code must not end the others
            _log.exception("an examination failed", extra={"namespace": key[0], "object": key[1]})
            self._work.pop(key, None)  # so that the next look begins anew
            await asyncio.sleep(AGAIN_SECONDS)
            self._found(key)

    def _tell(self, key: Key, work: _Work, *, passed: str = "", finding: Finding | None = None) -> None:
        subject = work.examination.subject
        self._evidence[key] = Evidence(subject=subject, asked=work.uids, passed=passed, finding=finding)
        told = finding.message if finding else passed
        _log.info("%s", told, extra={"namespace": key[0], "object": key[1]})
        self._found(key)

    async def _speaks(self, key: Key, work: _Work) -> None:
        """Let the pods speak, once, from the moment when all are ready until they have."""
        assert self._session is not None  # noqa: S101 - for the type checker
        for number in range(UNREACHABLE_TRIES):
            async with self._slots:
                if not work.asked and not work.examination.ready:
                    work.task = None  # so that the next look that finds them ready begins anew
                    return
                work.asked = work.asked or work.examination.pods
                if any(is_stranger(pod, self._keyring) for pod in work.asked.values()):
                    self._tell(key, work, finding=Finding(reason="SpeechCheckFailed", message=STRANGER))
                    return
                pods = [Target(name, pod.url, credential(pod, self._keyring)) for name, pod in work.asked.items()]
                plan = speech_plan(work.service, work.examination, self._keyring)
                result = await check(self._session, pods, plan)
            if result.passed or not result.unreachable:
                break
            if number + 1 < UNREACHABLE_TRIES:
                await asyncio.sleep(AGAIN_SECONDS)
        if result.passed:
            alone = work.service.spec.rollout.speech_check.compare_with_stable and work.examination.stable
            note = NOT_COMPARED if alone and plan.stable is None else ""
            self._tell(key, work, passed=result.summary + note)
        else:
            self._tell(key, work, finding=Finding(reason="SpeechCheckFailed", message=_failed(result, work.asked)))

    async def _watches(self, key: Key, work: _Work) -> None:
        """Watch the live traffic, until told otherwise."""
        new, stable, usual, asked = Window(), Window(), Usual(), 0.0
        while True:
            pods, others = work.examination.pods, work.examination.stable
            await asyncio.gather(self._scrape(new, pods), self._scrape(stable, others))
            analysis = work.service.spec.rollout.analysis
            slow = usual.look(stable, analysis.min_requests)
            finding = live_finding(work.service, new.traffic(), stable.traffic(), slow)
            if finding is None and analysis.prometheus and time.monotonic() - asked >= QUERY_SECONDS:
                asked = time.monotonic()
                finding = await self._ask(analysis.prometheus.url, analysis.prometheus.queries)
            if finding is not None:
                self._tell(key, work, finding=finding)
                return
            await asyncio.sleep(SCRAPE_SECONDS)

    async def _scrape(self, window: "Window", pods: Mapping[str, Reachable]) -> None:
        assert self._session is not None  # noqa: S101 - for the type checker
        session = self._session
        answers = await asyncio.gather(*(scrape(session, pod.url) for pod in pods.values()))
        now = time.monotonic()
        for name, answer in zip(pods, answers, strict=True):
            if isinstance(answer, Counters):
                window.add(name, now, answer)
        window.forget(now, pods)

    async def _ask(self, url: str, queries: list[PrometheusQuery]) -> Finding | None:
        assert self._prometheus is not None  # noqa: S101 - for the type checker
        for query in queries:
            result = await ask(self._prometheus, url, metric_check(query))
            if result.ok is None:
                _log.warning("rollout.analysis.prometheus, %s: %s", query.name, result.message)
            elif not result.ok:
                return Finding(reason="PrometheusQuery", message=f"{query.name}: {result.message}")
        return None


class Window:
    """What pods have counted within the last minute."""

    def __init__(self) -> None:
        self._scrapes: dict[str, deque[tuple[float, Counters]]] = {}

    def add(self, pod: str, now: float, counters: Counters) -> None:
        """Take in one scrape. The first one of a pod is what it had counted before."""
        self._scrapes.setdefault(pod, deque()).append((now, counters))

    def forget(self, now: float, pods: Collection[str]) -> None:
        """Drop what is too old, and pods that are gone."""
        for pod in [name for name in self._scrapes if name not in pods]:
            del self._scrapes[pod]
        for scrapes in self._scrapes.values():
            while len(scrapes) > 2 and now - scrapes[1][0] >= WINDOW_SECONDS:  # noqa: PLR2004 - first and last
                scrapes.popleft()

    def traffic(self) -> Traffic:
        """Of all pods together."""
        return merged(between(scrapes[0][1], scrapes[-1][1]) for scrapes in self._scrapes.values())

    def lifetime(self) -> Traffic:
        """The same since their servers have started."""
        return merged(between(None, scrapes[-1][1]) for scrapes in self._scrapes.values())


class Usual:
    """The P99 that the stable revision has, or else had: also after its last pod is gone."""

    def __init__(self) -> None:
        self._p99: float | None = None

    def look(self, stable: Window, least: int) -> float | None:
        """Take in what there is, and tell it, in seconds. Fewer requests than `least` tell nothing."""
        told = (traffic.p99 for traffic in (stable.traffic(), stable.lifetime()) if traffic.requests >= least)
        self._p99 = next((p99 for p99 in told if p99 is not None), self._p99)
        return self._p99


def live_finding(service: TTSService, new: Traffic, stable: Traffic, usual: float | None) -> Finding | None:
    """What the live traffic says against a new revision. `usual` is the P99 of the stable one, in seconds."""
    rollout = service.spec.rollout
    limits = LiveLimits(
        max_error_rate=rollout.analysis.max_error_percent / 100,
        max_p99_seconds=rollout.analysis.max_p99_milliseconds / 1000,
        max_p99_times_stable=None,  # new pods begin with an empty cache: beside warm ones they would always look slow
        min_requests=rollout.analysis.min_requests,
    )
    message = verdict(new, stable, limits, usual=usual)
    if message is None:
        return None
    if new.error_rate > limits.max_error_rate:
        return Finding(reason="ErrorRate", message=message)
    return Finding(reason="Overloaded" if "503" in message else "SlowAnswers", message=message)


def speech_plan(service: TTSService, examination: Examination, keyring: Keyring) -> SpeechPlan:
    """What the pods have to say: in the language, and at the length, of their own revision."""
    asked = service.spec.rollout.speech_check
    stable = next(
        (
            Target(name, pod.url, credential(pod, keyring))
            for name, pod in examination.stable.items()
            if not is_stranger(pod, keyring)
        ),
        None,
    )
    longest = examination.max_characters
    # The spec's texts fit its own limit; a revision that somebody goes back to may have another one.
    texts = [text for text in asked.texts if len(text) <= longest]
    return SpeechPlan(
        texts=tuple(texts) or default_texts(examination.language, max_characters=longest),
        language=examination.language,
        max_seconds=float(asked.timeout_seconds),
        stable=stable if asked.compare_with_stable else None,
    )


def _failed(result: GateResult, asked: Mapping[str, Reachable]) -> str:
    if result.unauthorized:
        return f"{result.summary} {refused(next(iter(asked.values())))}"
    if not result.unreachable:
        return result.summary
    return (
        f"{result.summary} The operator cannot reach {', '.join(result.unreachable)}: let it in by "
        "networkPolicy.ingressFrom, or set rollout.speechCheck.enabled: false"
    )


def metric_check(query: PrometheusQuery) -> MetricCheck:
    """What Prometheus is asked, with its bounds as numbers. 0 is a bound too."""
    bounds = {"max": query.max, "min": query.min}
    return MetricCheck(
        query=query.query, **{name: float(quantity(value)) for name, value in bounds.items() if value is not None}
    )
