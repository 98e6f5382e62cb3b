"""The servers' own metrics, and what two scrapes of a pod say about the time between them. Pure.

Source: https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

SAMPLE = re.compile(r'(?P<name>[a-zA-Z_:][\w:]*)(?:\{(?P<labels>(?:[^"}]|"(?:[^"\\]|\\.)*")*)\})?\s+(?P<value>\S+)')
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
LINE_MAX = 2000
SPEECH = frozenset({"/v1/audio/speech", "/api/tts"})
"""Endpoints whose requests count: those of clients for speech."""
BUSY = "503"
HITS = frozenset({"hit", "coalesced"})
P99 = 0.99
Wanted = Callable[[str], bool]
"""Whether the value of a label counts."""
Scrape = Mapping[str, Mapping[frozenset[tuple[str, str]], float]]
"""Values by name of the metric, and by labels."""


@dataclass(frozen=True, kw_only=True)
class Use:
    """What pods did, per second, and how they are."""

    pods: int = 0
    requests: float = 0.0
    """Requests for speech, per second."""
    errors: float = 0.0
    """5xx other than 503, per second."""
    busy: float = 0.0
    """503, per second."""
    p99: float | None = None
    """Seconds; None without requests."""
    synthesis: float = 0.0
    """Seconds of threads, per second."""
    audio: float = 0.0
    """Seconds of audio made, per second."""
    hits: float = 0.0
    """Answers from the cache, per second, and requests that joined a running one."""
    misses: float = 0.0
    queue: float = 0.0
    """Sentences that wait for a thread."""
    queue_seconds: float = 0.0
    """The longest estimated time of a pod to finish all admitted work."""
    cpu: float = 0.0
    """Cores."""
    memory: float = 0.0
    """Bytes."""

    @property
    def real_time_factor(self) -> float | None:
        """Thread time for a second of audio; None if none was made."""
        return self.synthesis / self.audio if self.audio else None

    @property
    def hit_rate(self) -> float | None:
        """From 0 to 1; None without requests."""
        asked = self.hits + self.misses
        return self.hits / asked if asked else None


def parsed(text: str) -> Scrape:
    """Parse a scrape. Skips what is malformed."""
    found: dict[str, dict[frozenset[tuple[str, str]], float]] = defaultdict(dict)
    for line in text.splitlines():
        match = SAMPLE.match(line) if len(line) <= LINE_MAX and not line.startswith("#") else None
        if match:
            try:
                value = float(match["value"])
            except ValueError:
                continue
            if math.isfinite(value):
                found[match["name"]][frozenset(LABEL.findall(match["labels"] or ""))] = value
    return found


def use(scrapes: Iterable[tuple[Scrape, Scrape]], seconds: float) -> Use:
    """Add up pods, each scraped twice, so many seconds apart."""
    pairs = list(scrapes)
    buckets: dict[float, float] = defaultdict(float)
    for before, after in pairs:
        for bound, count in _buckets(before, after).items():
            buckets[bound] += count

    def total(name: str, **labels: Wanted) -> float:
        return sum(_grown(before, after, name, labels) for before, after in pairs) / seconds

    def sums(name: str) -> list[float]:
        return [sum(after.get(name, {}).values()) for _, after in pairs]

    asked: dict[str, Wanted] = {"endpoint": SPEECH.__contains__}
    return Use(
        pods=len(pairs),
        requests=total("tts_requests_total", **asked),
        errors=total("tts_requests_total", status=_is_error, **asked),
        busy=total("tts_requests_total", status=BUSY.__eq__, **asked),
        p99=quantile(buckets, P99),
        synthesis=total("tts_synthesis_seconds_total"),
        audio=total("tts_audio_seconds_total"),
        hits=total("tts_cache_events_total", event=HITS.__contains__),
        misses=total("tts_cache_events_total", event="miss".__eq__),
        queue=sum(sums("tts_queue_depth")),
        queue_seconds=max(sums("tts_queue_seconds"), default=0.0),
        cpu=total("process_cpu_seconds_total"),
        memory=sum(sums("process_resident_memory_bytes")),
    )


def quantile(buckets: Mapping[float, float], share: float) -> float | None:
    """Estimate a quantile from cumulative counts by upper bound, as Prometheus' histogram_quantile does."""
    bounds = sorted(buckets.items())
    if not bounds or bounds[-1][1] <= 0:
        return None
    rank = share * bounds[-1][1]
    lower, below = 0.0, 0.0
    for bound, count in bounds:
        if count >= rank:
            if math.isinf(bound):
                return lower
            inside = count - below
            return lower + (bound - lower) * ((rank - below) / inside if inside else 1.0)
        lower, below = bound, count
    return lower


def _buckets(before: Scrape, after: Scrape) -> dict[float, float]:
    found: dict[float, float] = defaultdict(float)
    name = "tts_request_duration_seconds_bucket"
    for labels, value in after.get(name, {}).items():
        known = dict(labels)
        if known.get("endpoint") in SPEECH:
            grown = value - before.get(name, {}).get(labels, 0.0)
            found[float(known.get("le", "inf"))] += grown if grown >= 0 else value
    return found


def _grown(before: Scrape, after: Scrape, name: str, labels: Mapping[str, Wanted]) -> float:
    """How much counters have grown. One that is smaller than before was reset, with its server."""
    total = 0.0
    for key, value in after.get(name, {}).items():
        known = dict(key)
        if all(wanted(known.get(label, "")) for label, wanted in labels.items()):
            grown = value - before.get(name, {}).get(key, 0.0)
            total += grown if grown >= 0 else value
    return total


def _is_error(status: str) -> bool:
    return status.startswith("5") and status != BUSY
