"""Who may speak, over HTTP: keys of any alphabet, and pages of other origins."""

import time
from collections.abc import Callable

import requests

from .conftest import Server, wait_until


def test_a_key_of_any_alphabet(start: Callable[..., Server]) -> None:
    server = start(TTS_API_KEYS="钥匙-ключ-é")

    def status(key: bytes) -> int:
        headers = {"Authorization": b"Bearer " + key, "Content-Type": b"text/plain"}
        return requests.post(server.url + "/api/tts", data="好".encode(), headers=headers, timeout=30).status_code

    assert status("钥匙-ключ-é".encode()) == 200
    assert status("钥匙-ключ-e".encode()) == 401
    assert status(b"\xff\xfe") == 401


def test_a_page_with_the_client_of_openai(start: Callable[..., Server]) -> None:
    server = start(TTS_CORS_ORIGINS="https://shop.example")
    asked = "authorization,content-type,x-stainless-lang,x-stainless-retry-count,X-Stainless-OS,x-other"
    response = requests.options(
        server.url + "/v1/audio/speech",
        headers={
            "Origin": "https://shop.example",
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": asked,
        },
        timeout=10,
    )
    allowed = {name.strip().lower() for name in response.headers["Access-Control-Allow-Headers"].split(",")}
    assert {"authorization", "content-type", "x-stainless-lang", "x-stainless-retry-count", "x-stainless-os"} <= allowed
    assert "x-other" not in allowed
    assert "Access-Control-Request-Headers" in response.headers["Vary"]


HEADERS = {"Authorization": "Bearer right"}


def test_a_signed_link_plays_without_a_key(start: Callable[..., Server]) -> None:
    server, replica = start(TTS_API_KEYS="right other"), start(TTS_API_KEYS="newer,right")
    stranger = start(TTS_API_KEYS="another")
    fields = {"text": "您好，带签名的链接。", "format": "wav", "speed": 1.5, "expires_in": 60}
    made = requests.post(server.url + "/api/tts/link", json=fields, headers=HEADERS, timeout=30)
    assert made.status_code == 200
    url, now = made.json()["url"], time.time()
    assert now < made.json()["expires_at"] <= now + 61
    assert "right" not in url
    for each in (server, replica):
        played = requests.get(each.url + url, timeout=30)
        assert played.status_code == 200
        assert played.content.startswith(b"RIFF")
    assert requests.get(stranger.url + url, timeout=30).status_code == 401
    assert requests.get(server.url + "/api/tts?text=x", timeout=30).status_code == 401


def test_a_link_that_was_changed_or_has_expired(start: Callable[..., Server]) -> None:
    server = start(TTS_API_KEYS="right")
    ask = {"text": "好", "expires_in": 1}
    url = requests.post(server.url + "/api/tts/link", json=ask, headers=HEADERS, timeout=30).json()["url"]
    longer = {"text": "好", "expires_in": 100}
    other = requests.post(server.url + "/api/tts/link", data=longer, headers=HEADERS, timeout=30).json()["url"]
    assert requests.get(server.url + other, timeout=30).status_code == 200
    at = other.index("signature=")
    for changed in (
        other + "&speed=2",
        other.replace("text=", "text=%E5%9D%8F"),
        "/api/tts?text=%E5%9D%8F&" + other.partition("?")[2],
        other.replace("expires=1", "expires=2"),
        other[:at] + "signature=",
        other[:at] + "signature=%FF%E5%A5%BD",
        other.replace("expires=", "expires=%C2%B2"),
    ):
        refused = requests.get(server.url + changed, timeout=30)
        assert refused.status_code == 401
        assert refused.json()["error"]["code"] == "invalid_link"
    assert requests.post(server.url + other, timeout=30).status_code == 401
    wait_until(lambda: requests.get(server.url + url, timeout=30).status_code == 401)


def test_who_may_have_a_link_and_for_what(start: Callable[..., Server]) -> None:
    server, free = start(TTS_API_KEYS="right", TTS_MAX_INPUT_CHARACTERS="5000"), start()

    def ask(fields: dict[str, object], headers: dict[str, str] = HEADERS) -> requests.Response:
        return requests.post(server.url + "/api/tts/link", json=fields, headers=headers, timeout=30)

    assert ask({"text": "好"}, {}).status_code == 401
    refusals: tuple[tuple[dict[str, object], str, str], ...] = (
        ({"text": ""}, "invalid_value", "text"),
        ({"text": "好" * 6000}, "input_too_long", "text"),
        ({"text": "好" * 1000}, "input_too_long", "text"),
        ({"text": "好", "expires_in": 0}, "invalid_value", "expires_in"),
        ({"text": "好", "expires_in": 86401}, "invalid_value", "expires_in"),
        ({"text": "好", "speed": 9}, "invalid_value", "speed"),
    )
    for fields, code, param in refusals:
        refused = ask(fields)
        assert refused.status_code == 400
        assert (refused.json()["error"]["code"], refused.json()["error"]["param"]) == (code, param)
    answer = requests.post(free.url + "/api/tts/link", json={"text": "好"}, timeout=30).json()
    assert answer == {"url": "/api/tts?text=%E5%A5%BD", "expires_at": None}
