"""The speech check: every new pod speaks every text, and each recording is judged.

The requests to a pod run one at a time, so an idle server never has a reason to refuse one. Only a pod that already
serves clients may be busy (503 with Retry-After), and is asked again:

1. Each text `attempts` times. Each recording is judged, and compared with the stable version's if there is one.
2. `repeats` short texts, all different. A server that fails 10 % of its requests fails at least one of 50 with a
   probability of 99.5 % (5 %: 92 %). The live metrics catch rarer failures.

With the bundled engine, this takes about 4 s of one core. The check of a pod ends early after a failure, because each
further request delays the rollback. For slow engines, the short texts end after `REPEATS_SECONDS`.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from http import HTTPStatus

import aiohttp

from tts_operator.speech.bounds import READ_SECONDS, Budget, answer_bytes, read_apart
from tts_operator.speech.client import Problem, Spoken, speak
from tts_operator.speech.judge import Judged, Limits, judge_answer, slower
from tts_operator.speech.sentences import short_texts

REPEATS_SECONDS = 10.0
PODS_AT_ONCE = 4
MOST_CHARACTERS = 600
"""Maximum length of a summary, which becomes part of a condition's message."""
_GRACE_SECONDS = 2.0
"""Extra wait beyond the time limit, to tell a late response from a missing one."""
_CONNECT_TRIES = 4
_CONNECT_PAUSE_SECONDS = 0.5
_BUSY_TRIES = 4
_BUSY_PAUSE_SECONDS = (0.5, 3.0)
"""Shortest and longest pause before a busy pod is asked again."""
_SHOWN_TEXT = 12


@dataclass(frozen=True, slots=True)
class Target:
    """A pod to check: its name for messages, and its address, http://IP:PORT."""

    name: str
    url: str
    credential: Callable[[], str] | None = field(default=None, repr=False)
    """Creates the bearer token, anew for each request. None: use the API key of the plan."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeechPlan:
    """What the new pods must speak, and how well."""

    texts: Sequence[str]
    max_seconds: float = 10.0
    """Time limit for each text, from the request to the end of the response."""
    attempts: int = 2
    """Number of times that each text is spoken."""
    repeats: int = 40
    """Number of short texts after that; 0: none."""
    language: str = "zh-CN"
    """BCP 47 language of the short texts."""
    api_key: str | None = field(default=None, repr=False)
    serves_clients: bool = False
    """Whether the pods serve clients during the check."""
    stable: Target | None = None
    """A pod of the stable version to compare with. Its own failures never count against the new version."""


@dataclass(frozen=True, slots=True)
class TextResult:
    """The result of one text on one pod."""

    text: str
    attempts: tuple[Judged, ...]

    @property
    def fastest(self) -> float | None:
        """Seconds of the fastest attempt that no cache served; None if there is none."""
        return min((each.seconds for each in self.attempts if not each.cached), default=None)


@dataclass(frozen=True, slots=True)
class PodResult:
    """The result of one pod."""

    name: str
    texts: tuple[TextResult, ...]
    requests: int
    answered: int
    """Requests that got a response of any kind; 0: the pod is unreachable from here."""
    findings: tuple[str, ...]
    unauthorized: bool = False
    """Whether the pod rejected the token or API key."""


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The result of a speech check."""

    passed: bool
    summary: str
    """For a condition's message; at most 600 characters."""
    pods: tuple[PodResult, ...]

    @property
    def unreachable(self) -> tuple[str, ...]:
        """Pods that answered no request at all: probably a network problem, or the pod is gone."""
        return tuple(each.name for each in self.pods if not each.answered)

    @property
    def unauthorized(self) -> bool:
        """Whether a pod rejected the token or API key, and so could not be checked."""
        return any(each.unauthorized for each in self.pods)


async def check(session: aiohttp.ClientSession, pods: Sequence[Target], plan: SpeechPlan) -> CheckResult:
    """Check all pods, at most 4 at a time. Never raises because of what a server does."""
    if not pods:
        return CheckResult(passed=False, summary="There is no new pod to check.", pods=())
    budget = Budget()
    stable = await _Pod(session, plan.stable, plan, budget).references() if plan.stable else {}
    slots = asyncio.Semaphore(PODS_AT_ONCE)

    async def one(target: Target) -> PodResult:
        async with slots:
            return await _Pod(session, target, plan, budget).speak_all(stable)

    results = tuple(await asyncio.gather(*(one(target) for target in pods)))
    passed = not any(each.findings for each in results)
    compared = bool(plan.stable) and bool(stable)
    note = "" if compared or not plan.stable else " Not compared: the stable version's pod did not produce speech."
    told = _praise(results, compared=compared) if passed else _blame(results)
    return CheckResult(passed, _shortened(told, MOST_CHARACTERS - len(note)) + note, results)


class _Pod:
    """Sends the requests to one pod."""

    def __init__(self, session: aiohttp.ClientSession, target: Target, plan: SpeechPlan, budget: Budget) -> None:
        self._session = session
        self._budget = budget
        self._target = target
        self._plan = plan
        self._limits = Limits(max_seconds=plan.max_seconds)
        self._requests = 0
        self._answered = 0
        self._unauthorized = False

    async def references(self) -> dict[str, Judged]:
        """Judge the stable version's recording of each text, with its fastest time. Stops at a text that it fails."""
        found: dict[str, Judged] = {}
        for text in self._plan.texts:
            attempts = [await self._try(text, None) for _ in range(self._plan.attempts)]
            judged = [each for each in attempts if isinstance(each, Judged) and each.measures is not None]
            if not judged:
                return found
            fastest = TextResult(text, tuple(judged)).fastest
            found[text] = replace(judged[0], seconds=fastest or 0.0, cached=fastest is None)
        return found

    async def speak_all(self, stable: dict[str, Judged]) -> PodResult:
        """Speak every text, then the short ones."""
        texts: list[TextResult] = []
        findings: list[str] = []
        for text in self._plan.texts:
            judged: list[Judged] = []
            for _ in range(1 if findings else self._plan.attempts):
                outcome = await self._try(text, stable.get(text))
                if isinstance(outcome, Problem):
                    findings.append(f"{_quoted(text)}: {outcome.message}")
                    return self._result(texts, findings)
                judged.append(outcome)
                if not outcome.passed:
                    break
            texts.append(TextResult(text, tuple(judged)))
            findings += [f"{_quoted(text)}: {finding}" for finding in self._wrong(texts[-1], stable.get(text))]
        if not findings:
            findings += await self._repeat()
        return self._result(texts, findings)

    def _wrong(self, result: TextResult, stable: Judged | None) -> list[str]:
        said = list(result.attempts[-1].findings)
        if stable is not None and not stable.cached and result.fastest is not None and not said:
            # Compare the fastest attempts: one slow response on a busy node says nothing about the version.
            said += slower(result.fastest, stable.seconds, self._limits)
        return said

    async def _repeat(self) -> list[str]:
        """Speak the short texts, up to the first failure."""
        begin = time.monotonic()
        for number, text in enumerate(short_texts(self._plan.repeats, self._plan.language)):
            if time.monotonic() - begin > REPEATS_SECONDS:
                break
            outcome = await self._try(text, None)
            said = [outcome.message] if isinstance(outcome, Problem) else list(outcome.findings)
            if said:
                return [f"{_quoted(text)}, short text {number + 1}: {each}" for each in said]
        return []

    async def _try(self, text: str, stable: Judged | None) -> Judged | Problem:
        """Speak and judge once. Does not compare the time with the stable version's: that needs all attempts."""
        async with self._budget.share(answer_bytes(text)):
            answer = await self._ask(text)
            if isinstance(answer, Problem):
                return answer
            against = replace(stable, seconds=answer.seconds) if stable is not None else None
            try:
                judged = await read_apart(
                    judge_answer, answer.body, answer.content_type, text, answer.seconds, self._limits, stable=against
                )
            except TimeoutError:
                told = f"its answer could not be analyzed within {READ_SECONDS:g} s"
                return Problem(told, "body", answer.seconds)
            return replace(judged, cached=answer.cached)

    async def _ask(self, text: str) -> Spoken | Problem:
        """Speak. Retries while the pod has never been reached, or is busy with clients."""
        refused = busy = 0
        while True:
            answer = await speak(
                self._session,
                self._target.url,
                text,
                api_key=self._target.credential() if self._target.credential else self._plan.api_key,
                timeout=self._plan.max_seconds + _GRACE_SECONDS,
            )
            self._requests += 1
            if isinstance(answer, Spoken):
                self._answered += 1
                return answer
            if answer.kind in ("status", "body"):
                self._answered += 1
            self._unauthorized = self._unauthorized or answer.status == HTTPStatus.UNAUTHORIZED
            # The network of a new pod may lag behind its readiness. A pod that has answered once is reachable.
            if answer.kind == "connection" and not self._answered and (refused := refused + 1) < _CONNECT_TRIES:
                await asyncio.sleep(_CONNECT_PAUSE_SECONDS)
            elif self._plan.serves_clients and answer.retry_after is not None and (busy := busy + 1) < _BUSY_TRIES:
                shortest, longest = _BUSY_PAUSE_SECONDS
                await asyncio.sleep(min(max(answer.retry_after, shortest), longest))
            else:
                return answer

    def _result(self, texts: list[TextResult], findings: list[str]) -> PodResult:
        return PodResult(
            self._target.name,
            tuple(texts),
            self._requests,
            self._answered,
            tuple(findings),
            unauthorized=self._unauthorized,
        )


def _praise(results: Sequence[PodResult], *, compared: bool) -> str:
    judged = [each for pod in results for text in pod.texts for each in text.attempts]
    found = [each.measures for each in judged if each.measures is not None]
    requests = sum(pod.requests for pod in results)
    pods = f"{len(results)} pods" if len(results) > 1 else results[0].name
    if not found:
        return f"{pods} passed the speech check: {requests} requests answered."
    loudness = [each.loudness for each in found]
    return (
        f"{pods} passed the speech check: {requests} requests; {len({each.text for each in judged})} texts of"
        f" {min(each.seconds for each in found):.1f} to {max(each.seconds for each in found):.1f} s,"
        f" {min(loudness):.0f} to {max(loudness):.0f} dBFS, answered within"
        f" {max(each.seconds for each in judged):.2f} s{', as the stable version does' if compared else ''}."
    )


def _blame(results: Sequence[PodResult]) -> str:
    failed = [each for each in results if each.findings]
    first = failed[0]
    more = sum(len(each.findings) for each in failed) - 1
    told = f"{first.name} failed the speech check. {_shortened(first.findings[0], 350)}."
    if len(first.findings) > 1:
        told += f" {_shortened(first.findings[1], 150)}."
        more -= 1
    if more:
        told += f" And {more} more findings" + (f" on {len(failed)} pods." if len(failed) > 1 else ".")
    return told


def _quoted(text: str) -> str:
    return f"“{text[:_SHOWN_TEXT]}{'…' if len(text) > _SHOWN_TEXT else ''}”"


def _shortened(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
