"""What the pods' own metrics say of the live traffic: error rate and latency, of the new version and of the stable one.

Counted are requests that want speech. An error is an answer of 5xx other than 503. 503 is back-pressure: the server
says honestly that it is full, and when to come again. It is counted apart, and held against the new version only where
it says so far more often than the stable one, or to nearly everybody.

The gate's own requests are counted by the server as well: take the first scrape after the gate.
"""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import accumulate, pairwise

SPEECH_ENDPOINTS = frozenset({"/v1/audio/speech", "/api/tts"})
_REQUESTS = "tts_requests_total"
_BUCKETS = "tts_request_duration_seconds_bucket"
_SAMPLE = re.compile(r'(\w+)\{((?:[^"}]|"(?:[^"\\]|\\.)*")*)\}\s+(\S+)')
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
_BUSY = "503"
P99 = 0.99
MOST_SERIES = 100
"""Of requests for speech, in one scrape. The server has at most 60."""
_MOST_LINE = 2000
"""Characters of a sample."""
_MOST_COUNT = 2.0**53
"""Above it a float does not count any more."""


@dataclass(frozen=True, slots=True)
class Counters:
    """One scrape of one pod: counters since its server started."""

    statuses: Mapping[tuple[str, str], float] = field(default_factory=dict)
    """Answered requests by (endpoint, status)."""
    buckets: Mapping[tuple[str, float], float] = field(default_factory=dict)
    """Requests that took at most so long, by (endpoint, seconds)."""


@dataclass(frozen=True, slots=True)
class Traffic:
    """Requests within a window, over any number of pods."""

    requests: float = 0.0
    errors: float = 0.0
    """5xx other than 503."""
    busy: float = 0.0
    """503."""
    buckets: tuple[tuple[float, float], ...] = ()
    """(upper bound in seconds, requests up to it), ascending; the last bound is infinite."""

    @property
    def error_rate(self) -> float:
        """Errors among all requests, 0 to 1."""
        return self.errors / self.requests if self.requests else 0.0

    @property
    def busy_rate(self) -> float:
        """Answers 503 among all requests, 0 to 1."""
        return self.busy / self.requests if self.requests else 0.0

    def quantile(self, share: float) -> float | None:
        """Seconds within which this share of the requests was answered; None where nothing was measured.

        As Prometheus' histogram_quantile: linear within a bucket; in the last one the highest finite bound.
        """
        total = self.buckets[-1][1] if self.buckets else 0.0
        if total <= 0:
            return None
        rank = share * total
        for (low, before), (high, count) in pairwise(((0.0, 0.0), *self.buckets)):
            if count >= rank and count > before:
                return low if math.isinf(high) else low + (high - low) * (rank - before) / (count - before)
        return None  # pragma: no cover - the last bucket holds all

    @property
    def p99(self) -> float | None:
        """Seconds within which 99 % of the requests were answered; None where nothing was measured."""
        return self.quantile(P99)


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveLimits:
    """When live traffic speaks against the new version."""

    max_error_rate: float = 0.01
    """Errors among its requests, 0 to 1."""
    max_p99_seconds: float | None = None
    """None: not limited. It counts only for a version that is also clearly slower than the stable one has been."""
    slower_times_stable: float = 1.5
    """How many times the stable version's P99 is clearly slower: long texts take long with any version."""
    max_p99_times_stable: float | None = 3.0
    """How many times the stable version's P99; None: not compared."""
    p99_margin_seconds: float = 0.5
    """And by so much at least: an idle stable version answers from its cache in milliseconds."""
    max_busy_above_stable: float = 0.2
    """How much larger than the stable version's the share of 503 may be."""
    min_requests: int = 20
    """Fewer say nothing."""


def parse_metrics(text: str) -> Counters:
    """Read Prometheus' text format; raises ValueError where the server's metrics are not in it, or not numbers."""
    statuses: dict[tuple[str, str], float] = {}
    buckets: dict[tuple[str, float], float] = {}
    ours = False
    for line in text.split("\n"):
        ours = ours or line.startswith(("tts_", "# HELP tts_", "# TYPE tts_"))
        if not line.startswith((_REQUESTS + "{", _BUCKETS + "{")):
            continue
        if len(line) > _MOST_LINE:
            raise ValueError(f"a sample has {len(line)} characters; at most {_MOST_LINE} are read")
        match = _SAMPLE.match(line)
        if match is None:
            raise ValueError(f"this is no sample: {line[:80]!r}")
        labels = dict(_LABEL.findall(match[2]))
        value = float(match[3])
        endpoint = labels.get("endpoint", "")
        if endpoint not in SPEECH_ENDPOINTS or not 0 <= value < _MOST_COUNT:  # nor NaN
            continue
        if match[1] == _REQUESTS:
            statuses[endpoint, labels.get("status", "")] = value
        elif not math.isnan(bound := float(labels.get("le", "nan"))):
            buckets[endpoint, bound] = value
        if len(statuses) + len(buckets) > MOST_SERIES:
            raise ValueError(f"there are more than {MOST_SERIES} series of {_REQUESTS} and {_BUCKETS} in them")
    if not ours:
        raise ValueError("there is no metric of a model server (tts_*) in them")
    return Counters(statuses, buckets)


def between(before: Counters | None, after: Counters) -> Traffic:
    """What happened from one scrape of a pod to the next; None before: since its server started.

    Where a counter has fallen, the server was restarted in between, and all that it counts is new.
    """
    if before is None or _restarted(before, after):
        before = Counters()
    by_status = {key: value - before.statuses.get(key, 0.0) for key, value in after.statuses.items()}
    bounds: dict[float, float] = {}
    for (endpoint, bound), value in after.buckets.items():
        bounds[bound] = bounds.get(bound, 0.0) + value - before.buckets.get((endpoint, bound), 0.0)
    return Traffic(
        requests=sum(by_status.values()),
        errors=sum(value for (_, status), value in by_status.items() if status.startswith("5") and status != _BUSY),
        busy=sum(value for (_, status), value in by_status.items() if status == _BUSY),
        buckets=tuple(sorted(bounds.items())),
    )


def merged(parts: Iterable[Traffic]) -> Traffic:
    """The traffic of several pods, or of several windows of one."""
    parts = list(parts)
    added: dict[float, float] = {}
    for part in parts:
        upto = 0.0
        for bound, count in part.buckets:  # ascending; one without this bound counts as up to its next lower one
            added[bound] = added.get(bound, 0.0) + max(0.0, count - upto)
            upto = max(upto, count)
    bounds = sorted(added)
    return Traffic(
        requests=sum(part.requests for part in parts),
        errors=sum(part.errors for part in parts),
        busy=sum(part.busy for part in parts),
        buckets=tuple(zip(bounds, accumulate(added[bound] for bound in bounds), strict=True)),
    )


def verdict(canary: Traffic, stable: Traffic | None, limits: LiveLimits, *, usual: float | None = None) -> str | None:
    """What speaks against the new version, as a sentence without its full stop; None while nothing does.

    Nothing is said of fewer than `limits.min_requests`; the stable version's figures count from as many on, too.
    `usual` is the P99 that the stable version has had, for where it gets no requests any more.
    """
    if canary.requests < limits.min_requests:
        return None
    if canary.error_rate > limits.max_error_rate:
        return (
            f"{canary.errors:.0f} of {canary.requests:.0f} requests failed ({canary.error_rate:.1%});"
            f" the limit is {limits.max_error_rate:.1%}"
        )
    known = stable if stable is not None and stable.requests >= limits.min_requests else None
    allowed = (known.busy_rate if known else 0.0) + limits.max_busy_above_stable
    if canary.busy_rate > allowed:
        return (
            f"{canary.busy_rate:.1%} of {canary.requests:.0f} requests were refused with 503;"
            f" the limit is {allowed:.1%}{', including what the stable version refuses' if known else ''}"
        )
    p99 = known.p99 if known else None
    return _slow(canary, usual if p99 is None else p99, limits)


def _slow(canary: Traffic, usual: float | None, limits: LiveLimits) -> str | None:
    """The same of its P99; `usual` is the stable version's."""
    p99 = canary.p99
    if p99 is None:
        return None
    clearly = usual is None or p99 > usual * limits.slower_times_stable
    if limits.max_p99_seconds is not None and p99 > limits.max_p99_seconds and clearly:
        beside = f", while the stable version's were answered within {usual:.2f} s" if usual is not None else ""
        return (
            f"99 % of {canary.requests:.0f} requests were answered within {p99:.2f} s;"
            f" the limit is {limits.max_p99_seconds:g} s{beside}"
        )
    if usual is None or limits.max_p99_times_stable is None:
        return None
    if p99 <= max(usual * limits.max_p99_times_stable, usual + limits.p99_margin_seconds):
        return None
    return (
        f"99 % of {canary.requests:.0f} requests were answered within {p99:.2f} s,"
        f" the stable version's within {usual:.2f} s; the limit is {limits.max_p99_times_stable:g} times that"
    )


def _restarted(before: Counters, after: Counters) -> bool:
    return any(value > after.statuses.get(key, 0.0) for key, value in before.statuses.items()) or any(
        value > after.buckets.get(bucket, 0.0) for bucket, value in before.buckets.items()
    )
