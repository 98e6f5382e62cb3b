"""How much a key may use: the arithmetic, one process, and what a client is told."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.server.api.test_responses import served, speak
from tests.unit.server.conftest import FakeEngine
from tts_server.apikeys import ApiKey, Limits
from tts_server.observability.metrics import Metrics
from tts_server.quota.local import LocalUsage
from tts_server.quota.quotas import QuotaExceededError, Quotas, TooLongForQuotaError
from tts_server.quota.rate import Rate, rates, spend
from tts_server.quota.usage import UnavailableError

MINUTE = Rate("minute", 60, 60.0)
SHOP = ApiKey("shop", "a", Limits(characters_per_minute=20, characters_per_day=50, streams=1))


def test_a_bucket_is_full_at_first_and_fills_evenly() -> None:
    full_at, wait = spend(0.0, 60, MINUTE, 1000.0)
    assert (full_at, wait) == (1060.0, 0.0)
    assert spend(full_at, 10, MINUTE, 1000.0) == (full_at, 10.0)
    assert spend(full_at, 10, MINUTE, 1004.0) == (full_at, 6.0)
    assert spend(full_at, 10, MINUTE, 1010.0) == (1070.0, 0.0)


def test_what_is_put_back_can_be_taken_again() -> None:
    full_at, _ = spend(0.0, 60, MINUTE, 1000.0)
    full_at, _ = spend(full_at, -60, MINUTE, 1000.0)
    assert spend(full_at, 60, MINUTE, 1000.0)[1] == 0.0


def test_no_stored_number_makes_anybody_wait_for_longer_than_a_bucket_takes() -> None:
    assert spend(1e18, 60, MINUTE, 1000.0)[1] == 60.0


@given(st.lists(st.tuples(st.integers(1, 60), st.floats(0, 30)), max_size=60))
def test_no_more_than_twice_the_limit_within_one_period(steps: list[tuple[int, float]]) -> None:
    """A full bucket, and what fills it meanwhile."""
    now, full_at, taken = 0.0, 0.0, []
    for amount, pause in steps:
        now += pause
        full_at, wait = spend(full_at, amount, MINUTE, now)
        if not wait:
            taken.append((now, amount))
    for begin, _ in taken:
        assert sum(amount for at, amount in taken if begin <= at <= begin + 60) <= 2 * 60 + 1


def test_all_limits_or_none_are_charged() -> None:
    now = [0.0]
    usage = LocalUsage(lambda: now[0])
    limits = rates(SHOP.limits)
    for _ in range(2):
        assert usage.spend("shop", limits, 20) is None
        now[0] += 60
    minute, day = limits
    refused = usage.spend("shop", limits, 20)
    assert refused is not None
    assert refused[0] is day
    assert refused[1] == pytest.approx(86_400 * 10 / 50 - 120, abs=0.1)
    assert usage.spend("shop", [minute], 20) is None
    assert usage.spend("other", limits, 20) is None


def test_streams() -> None:
    usage = LocalUsage()
    assert usage.take("shop", "1", 2)
    assert usage.take("shop", "2", 2)
    assert not usage.take("shop", "3", 2)
    assert usage.take("shop", "2", 2)  # counted already
    usage.release("shop", "1")
    usage.release("shop", "1")
    assert usage.take("shop", "3", 2)


class Broken:
    """A Redis that is away."""

    def spend(self, *_: object, **__: object) -> tuple[Rate, float] | None:
        raise UnavailableError

    def take(self, *_: object, **__: object) -> bool:
        raise UnavailableError

    def release(self, *_: object, **__: object) -> None:
        raise UnavailableError


@pytest.mark.parametrize("shared", [None, Broken()], ids=["alone", "without Redis"])
def test_refusals(shared: Broken | None) -> None:
    quotas = Quotas(Metrics(), [SHOP], shared)
    stream = quotas.open_stream(SHOP)
    with pytest.raises(QuotaExceededError) as streams:
        quotas.open_stream(SHOP)
    assert (streams.value.code, streams.value.kind) == ("rate_limit_exceeded", "requests")
    stream.renew()
    stream.release()
    quotas.open_stream(SHOP)
    quotas.spend(SHOP, 20)
    with pytest.raises(QuotaExceededError, match="its 20 characters per minute") as minute:
        quotas.spend(SHOP, 10)
    assert (minute.value.code, minute.value.kind) == ("rate_limit_exceeded", "tokens")
    assert 20 <= minute.value.retry_after <= 30
    quotas.refund(SHOP, 20)
    quotas.spend(SHOP, 20)
    with pytest.raises(TooLongForQuotaError, match="may use 20 per minute"):
        quotas.spend(SHOP, 21)
    daily = ApiKey("daily", "b", Limits(characters_per_day=10))
    quotas.spend(daily, 10)
    with pytest.raises(QuotaExceededError) as day:
        quotas.spend(daily, 1)
    assert (day.value.code, day.value.kind) == ("insufficient_quota", "insufficient_quota")


def headers(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def test_a_request_beyond_the_limit(engine: FakeEngine) -> None:
    keys = (ApiKey("shop", "a", Limits(characters_per_minute=6)), ApiKey("free", "b"))
    client = served(engine, api_keys=keys)
    with speak(client, "你好", headers=headers("a")) as first:
        assert first.status_code == 200
    assert speak(client, "123", headers=headers("a")).status_code == 400  # not spoken, and not charged
    assert speak(client, "你好", headers=headers("a")).headers["X-Cache"] == "hit"  # repeats are charged too
    assert speak(client, "你好", headers=headers("a")).headers["X-Cache"] == "hit"
    for text in ("你好", "您好"):
        refused = speak(client, text, headers=headers("a"))
        assert refused.status_code == 429
        assert int(refused.headers["Retry-After"]) in range(15, 21)
        assert refused.json
        error: dict[str, Any] = refused.json["error"]
        assert (error["code"], error["type"], error["param"]) == ("rate_limit_exceeded", "tokens", None)
    too_long = speak(client, "你好你好你好啊", headers=headers("a"))
    assert too_long.json
    assert (too_long.status_code, too_long.json["error"]["code"]) == (400, "input_too_long")
    assert speak(client, "您好", headers=headers("b")).status_code == 200
    metrics = client.get("/metrics").text
    assert 'tts_key_characters_total{key="shop"} 6.0' in metrics
    assert 'tts_key_characters_total{key="free"} 2.0' in metrics
    assert 'tts_key_audio_seconds_total{key="shop"} 0.075' in metrics
    assert 'tts_rejections_total{reason="rate_limit_exceeded"} 2.0' in metrics


def test_a_stream_counts_until_its_response_ends(engine: FakeEngine) -> None:
    client = served(engine, api_keys=(ApiKey("shop", "a", Limits(streams=1)),))
    with speak(client, response_format="pcm", headers=headers("a")) as running:
        refused = speak(client, "您好", headers=headers("a"))
        assert refused.json
        assert (refused.status_code, refused.json["error"]["type"]) == (429, "requests")
        assert running.data
    assert speak(client, "您好", headers=headers("a")).status_code == 200


def test_without_keys_usage_is_counted_as_anonymous(engine: FakeEngine) -> None:
    client = served(engine)
    assert 'tts_key_characters_total{key="anonymous"} 0.0' in client.get("/metrics").text
    assert speak(client, "你好", response_format="pcm").data
    assert 'tts_key_characters_total{key="anonymous"} 2.0' in client.get("/metrics").text
