"""The limits of API keys, and what they have used."""

import contextlib
import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from tts_server.apikeys import ApiKey
from tts_server.observability.metrics import Metrics
from tts_server.quota.local import LocalUsage
from tts_server.quota.rate import Rate, rates
from tts_server.quota.usage import UnavailableError, Usage

_Result = TypeVar("_Result")
_STREAM_RETRY_SECONDS = 1


class QuotaExceededError(Exception):
    """A key has used what it may. ``code`` and ``kind`` are OpenAI's; ``retry_after`` is in whole seconds."""

    def __init__(self, message: str, *, code: str, kind: str, retry_after: int) -> None:
        super().__init__(message)
        self.code = code
        self.kind = kind
        self.retry_after = retry_after


class TooLongForQuotaError(Exception):
    """A text is longer than the key's limit. No waiting helps."""


@dataclass(frozen=True, slots=True)
class Stream:
    """A text that is being spoken, and counts until it is released."""

    renew: Callable[[], None]
    release: Callable[[], None]


def _ignore() -> None:
    """Do nothing."""


_UNLIMITED = Stream(_ignore, _ignore)


class Quotas:
    """Counts for every key, in Redis if there is one. While Redis fails, this process counts by itself."""

    def __init__(self, metrics: Metrics, callers: Sequence[ApiKey], shared: Usage | None = None) -> None:
        """The metrics of all ``callers`` exist from the start."""
        self._metrics = metrics
        self._shared = shared
        self._local = LocalUsage()
        for each in callers:
            self.count(each)

    def spend(self, caller: ApiKey, characters: int) -> None:
        """Take characters from what the key may use. Raises the errors above."""
        limits = rates(caller.limits)
        for rate in limits:
            if characters > rate.limit:
                raise TooLongForQuotaError(
                    f"The text has {characters} characters, but the key {caller.name!r} may use {rate.limit} per "
                    f"{rate.name}. Split the text into several requests."
                )
        refused = self._spend(caller.name, limits, characters)
        if refused:
            raise _exceeded(caller.name, *refused)

    def refund(self, caller: ApiKey, characters: int) -> None:
        """Give back the characters of a text that was not spoken."""
        self._spend(caller.name, rates(caller.limits), -characters)

    def open_stream(self, caller: ApiKey) -> Stream:
        """Count a text that begins to be spoken. Raises :class:`QuotaExceededError`."""
        limit = caller.limits.streams
        if limit is None:
            return _UNLIMITED
        name, stream = caller.name, os.urandom(12).hex()
        if not self._usage(lambda usage: usage.take(name, stream, limit)):
            raise QuotaExceededError(
                f"The key {name!r} may have {limit} texts spoken at the same time. Wait for one to end.",
                code="rate_limit_exceeded",
                kind="requests",
                retry_after=_STREAM_RETRY_SECONDS,
            )
        return Stream(lambda: self._renew(name, stream, limit), lambda: self._release(name, stream))

    def count(self, caller: ApiKey, *, characters: int = 0, seconds: float = 0.0) -> None:
        """Add to the key's metrics: characters that were accepted, and seconds of audio that were made for them."""
        self._metrics.key_characters.labels(caller.name).inc(characters)
        self._metrics.key_audio_seconds.labels(caller.name).inc(seconds)

    def _spend(self, name: str, limits: tuple[Rate, ...], amount: int) -> tuple[Rate, float] | None:
        return self._usage(lambda usage: usage.spend(name, limits, amount)) if limits else None

    def _usage(self, call: Callable[[Usage], _Result]) -> _Result:
        if self._shared:
            with contextlib.suppress(UnavailableError):
                return call(self._shared)
        return call(self._local)

    def _renew(self, name: str, stream: str, limit: int) -> None:
        if self._shared:
            with contextlib.suppress(UnavailableError):
                self._shared.take(name, stream, limit)

    def _release(self, name: str, stream: str) -> None:
        # It may have been counted in either place. In Redis, it expires if it cannot be removed.
        self._local.release(name, stream)
        if self._shared:
            with contextlib.suppress(UnavailableError):
                self._shared.release(name, stream)


def _exceeded(name: str, rate: Rate, wait: float) -> QuotaExceededError:
    per_day = rate.name == "day"
    return QuotaExceededError(
        f"The key {name!r} has used its {rate.limit} characters per {rate.name}. Retry in {math.ceil(wait)} s.",
        code="insufficient_quota" if per_day else "rate_limit_exceeded",
        kind="insufficient_quota" if per_day else "tokens",
        retry_after=max(1, math.ceil(wait)),
    )
