"""Run the analysis of new revisions: speech checks, the pods' metrics, and queries to the user's Prometheus.

The results are input for the next rollout decision. Nothing is decided here.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from functools import partial
from types import TracebackType
from typing import Any, Self

import aiohttp

from tts_operator.api import TTSService
from tts_operator.api.quantity import quantity
from tts_operator.api.rollout import PrometheusQuery
from tts_operator.keyring import Keyring
from tts_operator.policy import is_forbidden
from tts_operator.reconcile.analysis.credentials import NOT_COMPARED, STRANGER, credential, is_stranger, refused
from tts_operator.reconcile.analysis.model import (
    NO_RESULT,
    AnalysisRequest,
    AnalysisResult,
    PodEndpoint,
    RollbackReason,
)
from tts_operator.reconcile.analysis.traffic_window import Usual, Window
from tts_operator.runtime.shares import GivenUpError, Shares
from tts_operator.runtime.store import Key
from tts_operator.speech.check import CheckResult, SpeechPlan, Target, check
from tts_operator.speech.client import scrape
from tts_operator.speech.live import Counters, LiveLimits, Traffic, judge_traffic
from tts_operator.speech.prometheus import MetricCheck, ask, prometheus_session
from tts_operator.speech.sentences import default_texts

SCRAPE_SECONDS = 2.0
QUERY_SECONDS = 10.0
UNREACHABLE_TRIES = 3
"""Attempts for a pod that does not answer at all: it may be gone, or its network is not ready yet."""
AGAIN_SECONDS = 2.0
CHECKS_AT_ONCE = 4
"""Concurrent speech checks; half as many per namespace. With the bundled voice, a check takes 4 s."""
CHECK_SECONDS = 30.0
"""A check that takes longer gives up its place and continues as a late one."""
LATE_CHECKS = 4
"""Maximum number of late checks. All checks together hold at most 96 MiB of responses (`MOST_ANSWER_BYTES` each)."""
SCRAPES_AT_ONCE = 16
"""Concurrent scrapes; a quarter as many per namespace. Each holds at most 512 KiB for at most 5 s."""
QUERIES_AT_ONCE = 8
"""Concurrent queries to users' Prometheus servers; a quarter as many per namespace. Each holds 1 MiB for 10 s."""
PODS_WATCHED = 20
"""Pods of a revision whose metrics are read: enough to judge its traffic."""

_log = logging.getLogger(__name__)


@dataclass
class _Work:
    """The analysis of one service, with its current spec and pods."""

    service: TTSService
    request: AnalysisRequest
    task: asyncio.Task[None] | None = None
    """None: not started."""
    asked: Mapping[str, PodEndpoint] = field(default_factory=dict)
    """The pods that the speech check started with."""

    def continues_as(self, service: TTSService, request: AnalysisRequest) -> bool:
        """Whether this analysis also serves a new request."""
        if self.request.subject != request.subject:
            return False
        asks = self.service.spec.rollout.speech_check == service.spec.rollout.speech_check
        return not request.checks_speech or (asks and not request.misses(self.uids))

    @property
    def uids(self) -> frozenset[str]:
        """The uids of the checked pods."""
        return frozenset(pod.uid for pod in self.asked.values())


class AnalysisRunner:
    """Runs analyses, at most one for each service."""

    def __init__(
        self,
        found: Callable[[Key], None],
        keyring: Keyring,
        *,
        never_asked: Callable[[str], bool] = is_forbidden,
        count: Callable[[str], None] = lambda _: None,
    ) -> None:
        """`found` is called with the key of a service that has a new result. The `keyring` creates the tokens for pods.

        `never_asked` says of an IP address whether queries to it are forbidden. `count` is called with each result:
        Passed, or the reason of the rollback.
        """
        self._count = count
        self._found = found
        self._keyring = keyring
        self._never_asked = never_asked
        self._work: dict[Key, _Work] = {}
        self._results: dict[Key, AnalysisResult] = {}
        # Pods are untrusted, and may be slow: no namespace may delay another one for long.
        self._checks = Shares(places=CHECKS_AT_ONCE, each=CHECKS_AT_ONCE // 2, patience=CHECK_SECONDS, late=LATE_CHECKS)
        self._scrapes = Shares(places=SCRAPES_AT_ONCE, each=SCRAPES_AT_ONCE // 4)
        self._queries = Shares(places=QUERIES_AT_ONCE, each=QUERIES_AT_ONCE // 4)
        self._session: aiohttp.ClientSession | None = None
        self._prometheus: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        """Open the sessions, which use neither the operator's API credentials nor a proxy."""
        self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=64), trust_env=False)
        self._prometheus = prometheus_session(self._never_asked)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Cancel all analyses and close the sessions."""
        tasks = [work.task for work in self._work.values() if work.task is not None]
        for key in list(self._work):
            self.forget(key)
        await asyncio.gather(*tasks, return_exceptions=True)
        for session in filter(None, (self._session, self._prometheus)):
            await session.close()

    def result(self, key: Key) -> AnalysisResult:
        """The result so far."""
        return self._results.get(key, NO_RESULT)

    def request(self, service: TTSService, request: AnalysisRequest | None) -> None:
        """Run this analysis of a service, and no other one. None stops it."""
        key = service.namespace, service.name
        work = self._work.get(key)
        if request is None:
            self.forget(key, keep=True)
            return
        if work is None or not work.continues_as(service, request):
            self.forget(key)
            work = self._work[key] = _Work(service, request)
        work.service, work.request = service, request  # limits change, pods come and go
        if work.task is None and request.ready:
            run = self._check_speech if request.checks_speech else self._watch_traffic
            work.task = asyncio.create_task(self._guarded(key, work, run))

    def forget(self, key: Key, *, keep: bool = False) -> None:
        """Stop the analysis of a service. `keep` its result."""
        work = self._work.pop(key, None)
        if work is not None and work.task is not None:
            work.task.cancel()
        if not keep:
            self._results.pop(key, None)

    async def _guarded(self, key: Key, work: _Work, run: Callable[[Key, _Work], Coroutine[Any, Any, None]]) -> None:
        try:
            await run(key, work)
        except Exception:  # noqa: BLE001 - a bug in one analysis must not end the others
            _log.exception("analysis failed", extra=_about(key))
            self._work.pop(key, None)  # the next pass starts it again
            await asyncio.sleep(AGAIN_SECONDS)
            self._found(key)

    def _tell(self, key: Key, work: _Work, *, passed: str = "", rollback_reason: RollbackReason | None = None) -> None:
        subject = work.request.subject
        self._results[key] = AnalysisResult(
            subject=subject, asked=work.uids, passed=passed, rollback_reason=rollback_reason
        )
        told = rollback_reason.message if rollback_reason else passed
        _log.info("%s", told, extra=_about(key))
        self._count(rollback_reason.reason if rollback_reason else "Passed")
        self._found(key)

    async def _check_speech(self, key: Key, work: _Work) -> None:
        """Check the speech of the pods once, as soon as all are ready."""
        tries = 0
        while True:
            try:
                result = await self._checks.run(key[0], lambda: self._check(work))
            except GivenUpError:
                _log.info("a slow speech check yielded to others and will start again", extra=_about(key))
                continue
            if result is None:
                work.task = None  # the next pass that finds them ready starts it again
                return
            if isinstance(result, RollbackReason):
                self._tell(key, work, rollback_reason=result)
                return
            tries += 1
            if result.passed or not result.unreachable or tries == UNREACHABLE_TRIES:
                break
            await asyncio.sleep(AGAIN_SECONDS)
        if result.passed:
            alone = work.service.spec.rollout.speech_check.compare_with_stable and work.request.stable
            plan = speech_plan(work.service, work.request, self._keyring)
            note = NOT_COMPARED if alone and plan.stable is None else ""
            self._tell(key, work, passed=result.summary + note)
        else:
            self._tell(
                key,
                work,
                rollback_reason=RollbackReason(reason="SpeechCheckFailed", message=_failed(result, work.asked)),
            )

    async def _check(self, work: _Work) -> CheckResult | RollbackReason | None:
        """Run the check. A RollbackReason if the pods cannot be checked; None if they are not ready."""
        assert self._session is not None  # noqa: S101 - for the type checker
        if not work.asked and not work.request.ready:
            return None
        work.asked = work.asked or work.request.pods
        if any(is_stranger(pod, self._keyring) for pod in work.asked.values()):
            return RollbackReason(reason="SpeechCheckFailed", message=STRANGER)
        pods = [Target(name, pod.url, credential(pod, self._keyring)) for name, pod in work.asked.items()]
        return await check(self._session, pods, speech_plan(work.service, work.request, self._keyring))

    async def _watch_traffic(self, key: Key, work: _Work) -> None:
        """Watch the live traffic until a problem is found, or until cancelled."""
        new, stable, usual, asked = Window(), Window(), Usual(), 0.0
        while True:
            pods, others = work.request.pods, work.request.stable
            await asyncio.gather(self._scrape(key, new, pods), self._scrape(key, stable, others))
            analysis = work.service.spec.rollout.analysis
            slow = usual.look(stable, analysis.min_requests)
            rollback_reason = traffic_problem(work.service, new.traffic(), stable.traffic(), slow)
            if rollback_reason is None and analysis.prometheus and time.monotonic() - asked >= QUERY_SECONDS:
                asked = time.monotonic()
                rollback_reason = await self._ask(key, analysis.prometheus.url, analysis.prometheus.queries)
            if rollback_reason is not None:
                self._tell(key, work, rollback_reason=rollback_reason)
                return
            await asyncio.sleep(SCRAPE_SECONDS)

    async def _scrape(self, key: Key, window: Window, pods: Mapping[str, PodEndpoint]) -> None:
        assert self._session is not None  # noqa: S101 - for the type checker
        looked_at = dict(list(pods.items())[:PODS_WATCHED])
        requests = [partial(scrape, self._session, pod.url) for pod in looked_at.values()]
        answers = await asyncio.gather(*(self._scrapes.run(key[0], request) for request in requests))
        now = time.monotonic()
        for name, answer in zip(looked_at, answers, strict=True):
            if isinstance(answer, Counters):
                window.add(name, now, answer)
        window.forget(now, pods)

    async def _ask(self, key: Key, url: str, queries: list[PrometheusQuery]) -> RollbackReason | None:
        assert self._prometheus is not None  # noqa: S101 - for the type checker
        for query in queries:
            request = partial(ask, self._prometheus, url, metric_check(query))
            result = await self._queries.run(key[0], request)
            if result.ok is None:
                _log.warning("rollout.analysis.prometheus, %s: %s", query.name, result.message, extra=_about(key))
            elif not result.ok:
                return RollbackReason(reason="PrometheusQuery", message=f"{query.name}: {result.message}")
        return None


def _about(key: Key) -> dict[str, str]:
    return {"namespace": key[0], "object": key[1]}


def traffic_problem(service: TTSService, new: Traffic, stable: Traffic, usual: float | None) -> RollbackReason | None:
    """Judge a new revision by its live traffic. `usual` is the stable revision's P99 in seconds."""
    rollout = service.spec.rollout
    limits = LiveLimits(
        max_error_rate=rollout.analysis.error_rate,
        max_p99_seconds=rollout.analysis.max_p99_milliseconds / 1000,
        min_requests=rollout.analysis.min_requests,
    )
    problem = judge_traffic(new, stable, limits, usual=usual)
    return RollbackReason(reason=problem.reason, message=problem.message) if problem is not None else None


def speech_plan(service: TTSService, request: AnalysisRequest, keyring: Keyring) -> SpeechPlan:
    """What the pods must speak, in the language and within the text length of their own revision."""
    asked = service.spec.rollout.speech_check
    stable = next(
        (
            Target(name, pod.url, credential(pod, keyring))
            for name, pod in request.stable.items()
            if not is_stranger(pod, keyring)
        ),
        None,
    )
    longest = request.max_characters
    # The spec's texts fit the spec's limit. After an undo, the revision may have a lower one.
    texts = [text for text in asked.texts if len(text) <= longest]
    return SpeechPlan(
        texts=tuple(texts) or default_texts(request.language, max_characters=longest),
        language=request.language,
        max_seconds=float(asked.timeout_seconds),
        serves_clients=request.in_place,
        stable=stable if asked.compare_with_stable else None,
    )


def _failed(result: CheckResult, asked: Mapping[str, PodEndpoint]) -> str:
    if result.unauthorized:
        return f"{result.summary} {refused(next(iter(asked.values())))}"
    if not result.unreachable:
        return result.summary
    return (
        f"{result.summary} The operator cannot reach {', '.join(result.unreachable)}: allow it in "
        "networkPolicy.ingressFrom, or set rollout.speechCheck.enabled: false"
    )


def metric_check(query: PrometheusQuery) -> MetricCheck:
    """The query with its bounds as numbers. 0 is a bound too."""
    bounds = {"max": query.max, "min": query.min}
    return MetricCheck(
        query=query.query, **{name: float(quantity(value)) for name, value in bounds.items() if value is not None}
    )
