"""Judge live traffic by the pods' own metrics: error rate and latency of the new version and of the stable one.

Only requests for speech count. An error is a 5xx response other than 503. A 503 is back-pressure: the server is full,
and says when to retry. These are counted separately, and count against the new version only if they are far more
frequent than the stable version's.

The server also counts the requests of the speech check, so take the first scrape after it.
"""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import accumulate, pairwise
from typing import Literal

SPEECH_ENDPOINTS = frozenset({"/v1/audio/speech", "/api/tts"})
_REQUESTS = "tts_requests_total"
_BUCKETS = "tts_request_duration_seconds_bucket"
_SAMPLE = re.compile(r'(\w+)\{((?:[^"}]|"(?:[^"\\]|\\.)*")*)\}\s+(\S+)')
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
_BUSY = "503"
P99 = 0.99
MOST_SERIES = 100
"""Maximum number of series about speech in one scrape. The server has at most 60."""
_MOST_LINE = 2000
"""Maximum length of a sample, in characters."""
_MOST_COUNT = 2.0**53
"""Above this, a float can no longer count in steps of 1."""

TrafficReason = Literal["ErrorRate", "Overloaded", "SlowAnswers"]


@dataclass(frozen=True, slots=True)
class Counters:
    """One scrape of one pod: counts since its server started."""

    statuses: Mapping[tuple[str, str], float] = field(default_factory=dict)
    """Requests by (endpoint, status)."""
    buckets: Mapping[tuple[str, float], float] = field(default_factory=dict)
    """Cumulative requests by (endpoint, upper bound in seconds)."""


@dataclass(frozen=True, slots=True)
class Traffic:
    """Requests within a window, to any number of pods."""

    requests: float = 0.0
    errors: float = 0.0
    """5xx other than 503."""
    busy: float = 0.0
    """503."""
    buckets: tuple[tuple[float, float], ...] = ()
    """(upper bound in seconds, requests within it), ascending. The last bound is infinite."""

    @property
    def error_rate(self) -> float:
        """Ratio of errors to all requests, 0 to 1."""
        return self.errors / self.requests if self.requests else 0.0

    @property
    def busy_rate(self) -> float:
        """Ratio of 503 responses to all requests, 0 to 1."""
        return self.busy / self.requests if self.requests else 0.0

    def quantile(self, share: float) -> float | None:
        """Seconds within which this share of the requests was answered; None without requests.

        Same as histogram_quantile of Prometheus: linear within a bucket; in the last one, the highest finite bound.
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
        """Seconds within which 99 % of the requests were answered; None without requests."""
        return self.quantile(P99)


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveLimits:
    """Limits for the live traffic of a new version."""

    max_error_rate: float = 0.01
    """Maximum ratio of errors to requests, 0 to 1."""
    max_p99_seconds: float = 3.0
    """Maximum P99. Exceeding it counts only if the version is also clearly slower than the stable one."""
    slower_times_stable: float = 1.5
    """Clearly slower means this many times the stable version's P99: long texts take long with any version."""
    max_busy_above_stable: float = 0.2
    """Maximum difference between the new version's ratio of 503 responses and the stable version's."""
    min_requests: int = 20
    """With fewer requests, nothing is judged."""


@dataclass(frozen=True, slots=True)
class TrafficProblem:
    """What counts against a new version."""

    reason: TrafficReason
    message: str
    """A sentence without its full stop."""


def parse_metrics(text: str) -> Counters:
    """Parse Prometheus' text format. Raises ValueError if the server's metrics are missing or malformed."""
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
    """Return the traffic between two scrapes of a pod, or since its server started if `before` is None.

    A counter that has fallen means that the server restarted in between, so that all its counts are new.
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
    """Sum the traffic of several pods, or of several windows of one pod."""
    parts = list(parts)
    added: dict[float, float] = {}
    for part in parts:
        upto = 0.0
        for bound, count in part.buckets:  # ascending; a part that lacks a bound counts up to its next lower one
            added[bound] = added.get(bound, 0.0) + max(0.0, count - upto)
            upto = max(upto, count)
    bounds = sorted(added)
    return Traffic(
        requests=sum(part.requests for part in parts),
        errors=sum(part.errors for part in parts),
        busy=sum(part.busy for part in parts),
        buckets=tuple(zip(bounds, accumulate(added[bound] for bound in bounds), strict=True)),
    )


def judge_traffic(
    canary: Traffic, stable: Traffic | None, limits: LiveLimits, *, usual: float | None = None
) -> TrafficProblem | None:
    """Find what counts against the new version; None if nothing does.

    Both versions need at least `limits.min_requests` to be judged or compared with. `usual` is an earlier P99 of the
    stable version, for when it no longer receives requests.
    """
    if canary.requests < limits.min_requests:
        return None
    if canary.error_rate > limits.max_error_rate:
        return TrafficProblem(
            "ErrorRate",
            f"{canary.errors:.0f} of {canary.requests:.0f} requests failed ({canary.error_rate:.1%});"
            f" the limit is {limits.max_error_rate:.1%}",
        )
    known = stable if stable is not None and stable.requests >= limits.min_requests else None
    allowed = (known.busy_rate if known else 0.0) + limits.max_busy_above_stable
    if canary.busy_rate > allowed:
        return TrafficProblem(
            "Overloaded",
            f"{canary.busy_rate:.1%} of {canary.requests:.0f} requests were refused with 503;"
            f" the limit is {allowed:.1%}{', including what the stable version refuses' if known else ''}",
        )
    p99 = known.p99 if known else None
    return _slow(canary, usual if p99 is None else p99, limits)


def _slow(canary: Traffic, usual: float | None, limits: LiveLimits) -> TrafficProblem | None:
    """Judge the P99; `usual` is the stable version's."""
    p99 = canary.p99
    if p99 is None or p99 <= limits.max_p99_seconds:
        return None
    # Being slower is no problem by itself: new pods start with an empty cache, beside pods with a warm one.
    if usual is not None and p99 <= usual * limits.slower_times_stable:
        return None
    compared = f", while the stable version's were answered within {usual:.2f} s" if usual is not None else ""
    return TrafficProblem(
        "SlowAnswers",
        f"99 % of {canary.requests:.0f} requests were answered within {p99:.2f} s;"
        f" the limit is {limits.max_p99_seconds:g} s{compared}",
    )


def _restarted(before: Counters, after: Counters) -> bool:
    return any(value > after.statuses.get(key, 0.0) for key, value in before.statuses.items()) or any(
        value > after.buckets.get(bucket, 0.0) for bucket, value in before.buckets.items()
    )
