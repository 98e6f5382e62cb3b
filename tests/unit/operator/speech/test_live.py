"""Live traffic: from counters to rates, and reasons against a revision."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from tts_operator.speech.live import Counters, LiveLimits, Traffic, between, judge_traffic, merged, parse_metrics

PAGE = """\
# HELP tts_requests_total Answered requests.
# TYPE tts_requests_total counter
tts_requests_total{endpoint="/v1/audio/speech",status="200"} 90.0
tts_requests_total{endpoint="/v1/audio/speech",status="500"} 4.0
tts_requests_total{endpoint="/api/tts",status="502"} 1.0
tts_requests_total{endpoint="/v1/audio/speech",status="503"} 5.0
tts_requests_total{endpoint="/v1/audio/speech",status="400"} 10.0
tts_requests_total{endpoint="/ready",status="503"} 1000.0
tts_requests_total{endpoint="other",status="500"} 7.0
# TYPE tts_request_duration_seconds histogram
tts_request_duration_seconds_bucket{endpoint="/v1/audio/speech",le="0.1"} 50.0
tts_request_duration_seconds_bucket{endpoint="/v1/audio/speech",le="0.2"} 100.0
tts_request_duration_seconds_bucket{endpoint="/v1/audio/speech",le="+Inf"} 109.0
tts_request_duration_seconds_bucket{endpoint="/api/tts",le="0.1"} 0.0
tts_request_duration_seconds_bucket{endpoint="/api/tts",le="0.2"} 1.0
tts_request_duration_seconds_bucket{endpoint="/api/tts",le="+Inf"} 1.0
tts_request_duration_seconds_bucket{endpoint="/metrics",le="+Inf"} 999.0
tts_request_duration_seconds_count{endpoint="/v1/audio/speech"} 109.0
process_open_fds 12.0
"""
NOTHING = Counters()
LIMITS = LiveLimits()
QUICK = LiveLimits(max_p99_seconds=2)


def traffic(requests: float, *, errors: float = 0, busy: float = 0, seconds: float = 0.1) -> Traffic:
    """All were answered within the same bucket, which is half as wide."""
    return Traffic(requests, errors, busy, ((seconds / 2, 0.0), (seconds, requests), (math.inf, requests)))


def test_only_requests_for_speech_count() -> None:
    found = between(NOTHING, parse_metrics(PAGE))
    assert (found.requests, found.errors, found.busy) == (110, 5, 5)
    assert found.error_rate == pytest.approx(5 / 110)
    assert found.busy_rate == pytest.approx(5 / 110)
    assert found.buckets == ((0.1, 50), (0.2, 101), (math.inf, 110))


def test_labels_may_hold_braces_and_quotes() -> None:
    odd = r'tts_requests_total{extra="a}\"b",endpoint="/api/tts",status="200"} 3 1700000000000'
    assert between(None, parse_metrics(odd)).requests == 3


@pytest.mark.parametrize(
    "page, said",
    [
        ("<html>", "no metric of a model server"),
        ("", "no metric of a model server"),
        ("tts_requests_total{endpoint=", "this is no sample"),
        ('tts_requests_total{endpoint="/api/tts",status="200"} many', "could not convert"),
    ],
)
def test_other_pages_are_refused(page: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        parse_metrics(page)


def test_a_server_that_was_asked_nothing_yet() -> None:
    found = between(None, parse_metrics("# HELP tts_requests_total Answered requests.\n"))
    assert found.requests == 0
    assert found.error_rate == found.busy_rate == 0
    assert found.p99 is None


def test_quantiles_are_those_of_prometheus() -> None:
    found = between(None, parse_metrics(PAGE))
    assert found.quantile(0.5) == pytest.approx(0.1 + 0.1 * (55 - 50) / 51)
    assert found.quantile(0.25) == pytest.approx(0.1 * 27.5 / 50)
    assert found.p99 == 0.2  # in the last bucket: its lower bound


def counters(ok: float, wrong: float = 0) -> Counters:
    key = "/api/tts"
    buckets = {(key, 1.0): ok, (key, math.inf): ok + wrong}
    return Counters({(key, "200"): ok, (key, "500"): wrong}, buckets)


def test_between_two_scrapes() -> None:
    found = between(counters(100, 10), counters(130, 12))
    assert (found.requests, found.errors) == (32, 2)
    assert found.buckets == ((1.0, 30), (math.inf, 32))


def test_a_status_that_is_new() -> None:
    before = Counters({("/api/tts", "200"): 5.0})
    assert between(before, counters(5, 2)).errors == 2


@pytest.mark.parametrize("after", [counters(30, 2), counters(200, 2), NOTHING])
def test_a_restart_begins_anew(after: Counters) -> None:
    found = between(counters(100, 10), after)
    assert found.requests == sum(after.statuses.values())
    assert found.errors == after.statuses.get(("/api/tts", "500"), 0)


def test_pods_are_merged() -> None:
    found = merged([between(None, counters(10, 1)), between(None, counters(20, 2))])
    assert (found.requests, found.errors) == (33, 3)
    assert found.buckets == ((1.0, 30), (math.inf, 33))
    assert merged([]) == Traffic()


def test_pods_with_other_buckets_are_merged() -> None:
    one = Traffic(10, buckets=((0.1, 4.0), (1.0, 10.0), (math.inf, 10.0)))
    other = Traffic(10, buckets=((0.5, 6.0), (math.inf, 10.0)))
    assert merged([one, other]).buckets == ((0.1, 4), (0.5, 10), (1.0, 16), (math.inf, 20))


def test_what_is_usual_may_be_from_before_the_window() -> None:
    slow, idle = traffic(100, seconds=4), Traffic()
    assert judge_traffic(slow, idle, QUICK) is not None
    assert judge_traffic(slow, idle, QUICK, usual=3.0) is None
    found = judge_traffic(slow, idle, QUICK, usual=2.0)
    assert found is not None
    assert "within 2.00 s" in found.message


@pytest.mark.parametrize(
    "canary, stable, limits, said",
    [
        (traffic(19, errors=19), traffic(1000), LIMITS, None),
        (traffic(100), traffic(1000), LIMITS, None),
        (traffic(100, errors=1), traffic(1000), LIMITS, None),
        (traffic(100, errors=10), None, LIMITS, "10 of 100 requests failed (10.0%); the limit is 1.0%"),
        (traffic(100, errors=10), None, replace(LIMITS, max_error_rate=0.1), None),
        (traffic(100, busy=15), traffic(1000), LIMITS, None),
        (traffic(100, busy=40), traffic(1000, busy=300), LIMITS, None),
        (
            traffic(100, busy=40),
            traffic(1000),
            LIMITS,
            "40.0% of 100 requests were refused with 503; the limit is 20.0%",
        ),
        (traffic(100, seconds=2), traffic(1000, seconds=0.01), LIMITS, None),
        (traffic(100, seconds=4), None, LIMITS, "within 3.98 s; the limit is 3 s"),
        (traffic(100, seconds=4), None, replace(LIMITS, max_p99_seconds=4), None),
        (
            traffic(100, seconds=4),
            traffic(1000, seconds=2),
            QUICK,
            "within 3.98 s; the limit is 2 s, while the stable version's were answered within 1.99 s",
        ),
        (traffic(100, seconds=4), traffic(1000, seconds=3), QUICK, None),
        (traffic(100, seconds=4), traffic(19, seconds=3), QUICK, "within 3.98 s; the limit is 2 s"),
        (Traffic(100), traffic(1000), LIMITS, None),
    ],
)
def test_verdicts(canary: Traffic, stable: Traffic | None, limits: LiveLimits, said: str | None) -> None:
    found = judge_traffic(canary, stable, limits)
    assert (found is None) if said is None else (found is not None and said in found.message), found
