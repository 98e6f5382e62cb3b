"""Signed links: what they carry, who pays for them, and who may have one."""

from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from flask.testing import FlaskClient

from tests.unit.server.api.test_responses import served
from tests.unit.server.conftest import FakeEngine
from tts_server.api.schema.requests import PlainRequest
from tts_server.apikeys import ApiKey, Limits
from tts_server.auth.links import Links

SHOP = ApiKey("shop", "a", Limits(characters_per_minute=4))
STAFF = ApiKey("staff", "钥匙à")  # in UTF-8, its last byte is a space in Latin-1
FIELDS: dict[str, Any] = {
    "text": "你好",
    "voice": "two",
    "emotion": "happy",
    "speed": "1.5",
    "pitch": "1.25",
    "volume": "0.5",
    "format": "wav",
    "sample_rate": "16000",
}


def bearer(key: ApiKey | str) -> dict[str, str]:
    given = key if isinstance(key, str) else key.key
    return {"Authorization": "Bearer " + given.encode().decode("latin-1")}


def link(client: FlaskClient, key: ApiKey = STAFF, **fields: Any) -> str:
    made = client.post("/api/tts/link", json={"text": "你好", **fields}, headers=bearer(key))
    assert made.json
    assert made.status_code == 200, made.json
    url: str = made.json["url"]
    return url


def code(client: FlaskClient, url: str) -> tuple[int, str]:
    refused = client.get(url)
    assert refused.json
    return refused.status_code, refused.json["error"]["code"]


@pytest.fixture
def shop(engine: FakeEngine) -> FlaskClient:
    return served(engine, api_keys=(SHOP, STAFF), probe_key="uid")


def test_a_link_carries_every_field_and_signs_it(shop: FlaskClient) -> None:
    assert set(FIELDS) == set(PlainRequest.model_fields)
    url = link(shop, **FIELDS)
    given = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
    assert FIELDS.items() <= given.items()
    played = shop.get(url)
    same = shop.get("/api/tts?" + urlencode(FIELDS), headers=bearer(STAFF))
    assert (played.status_code, played.mimetype) == (200, "audio/wav")
    assert played.data == same.data
    for name in FIELDS:
        left_out = urlencode({each: value for each, value in given.items() if each != name})
        assert code(shop, f"/api/tts?{left_out}") == (401, "invalid_link")
        assert code(shop, f"{url}&{name}=1") == (401, "invalid_link")


def test_a_link_is_charged_to_the_key_that_signed_it(shop: FlaskClient) -> None:
    url, free = link(shop, SHOP), link(shop, STAFF)
    for _ in range(2):
        assert shop.get(url).status_code == 200
    assert code(shop, url) == (429, "rate_limit_exceeded")
    assert code(shop, link(shop, SHOP, text="您好")) == (429, "rate_limit_exceeded")
    assert code(shop, link(shop, SHOP, text="你好你好啊")) == (400, "input_too_long")
    assert shop.get(free).status_code == 200
    metrics = shop.get("/metrics").text
    assert 'tts_key_characters_total{key="shop"} 4.0' in metrics
    assert 'tts_key_characters_total{key="staff"} 2.0' in metrics


@pytest.mark.parametrize(
    "key,fields,expected",
    [
        ("uid", {}, (401, "invalid_api_key")),  # the operator's
        ("wrong", {}, (401, "invalid_api_key")),
        (STAFF, {"format": "opus", "sample_rate": 8000}, (400, "invalid_value")),
        (STAFF, {"volume": 3}, (400, "invalid_value")),
        (STAFF, {"expires_in": 1.5}, (400, "invalid_value")),
    ],
)
def test_refusals(shop: FlaskClient, key: ApiKey | str, fields: dict[str, Any], expected: tuple[int, str]) -> None:
    refused = shop.post("/api/tts/link", json={"text": "你好", **fields}, headers=bearer(key))
    assert refused.json
    assert (refused.status_code, refused.json["error"]["code"]) == expected


@pytest.mark.parametrize("expires", ["", "²", "1", "9" * 13, "x"])
def test_a_time_that_is_none_or_over(expires: str) -> None:
    links = Links([SHOP])
    signed = links.sign("/x", {"text": "x"}, lifetime=60, caller=SHOP)
    assert links.signer("/x", signed) == SHOP
    assert links.signer("/x", {**signed, "expires": expires}) is None
    assert links.signer("/y", signed) is None
    assert Links([STAFF]).signer("/x", signed) is None


def test_a_link_whose_time_is_over() -> None:
    links = Links([STAFF, SHOP])
    assert links.signer("/x", links.sign("/x", {}, lifetime=0, caller=SHOP)) is None
    assert links.signer("/x", links.sign("/x", {}, lifetime=60, caller=SHOP)) == SHOP
