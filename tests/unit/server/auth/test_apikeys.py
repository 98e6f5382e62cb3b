"""Keys, their names and limits, as the variable gives them."""

import json
from typing import Any

import pytest

from tts_server.apikeys import MAX_KEYS, ApiKey, ApiKeysError, Limits, parse_api_keys
from tts_server.auth.keys import Keys
from tts_server.settings import Settings, SettingsError

SECRET = "sk-hush"


def one(**more: Any) -> str:
    return json.dumps([{"name": "shop", "key": SECRET, **more}])


def test_names_and_limits() -> None:
    text = json.dumps(
        [
            {"name": "shop", "key": "a", "charactersPerMinute": 100, "charactersPerDay": 1000, "streams": 2},
            {"name": "hotline.cn", "key": "b"},
        ]
    )
    assert parse_api_keys(f"\n{text}\n") == (
        ApiKey("shop", "a", Limits(100, 1000, 2)),
        ApiKey("hotline.cn", "b", Limits()),
    )


def test_a_list_gives_numbers_for_names_and_no_limits() -> None:
    assert parse_api_keys("a==, b\nc") == (ApiKey("key-1", "a=="), ApiKey("key-2", "b"), ApiKey("key-3", "c"))


@pytest.mark.parametrize(
    "text,says",
    [
        ("[", "not valid JSON"),
        ("[" * 100_000, "not valid JSON"),
        ("[]", "empty array"),
        ('["sk-hush"]', r"\[0\] must be an object"),
        (one(name=""), r"\[0\]\.name must have"),
        (one(name="a b"), r"\[0\]\.name must have"),
        (one(name="operator"), "not be anonymous or operator"),
        (one(key=""), r"\[0\]\.key must be a string"),
        (one(key="sk hush"), r"\[0\]\.key must be a string"),
        (one(streams=0), r"\[0\]\.streams must be a whole number from 1"),
        (one(streams=True), r"\[0\]\.streams must be"),
        (one(charactersPerDay="many"), r"\[0\]\.charactersPerDay must be"),
        (one(**{SECRET: 1}), "1 unknown fields"),
        (json.dumps([{"name": "a", "key": SECRET}, {"name": "a", "key": "b"}]), "same name"),
        (json.dumps([{"name": "a", "key": SECRET}, {"name": "b", "key": SECRET}]), "same key"),
        (" ".join([SECRET] * (MAX_KEYS + 1)), "at most 1000"),
    ],
)
def test_what_is_refused_is_said_without_the_key(text: str, says: str) -> None:
    with pytest.raises(ApiKeysError, match=says) as caught:
        parse_api_keys(text)
    assert "hush" not in str(caught.value)
    with pytest.raises(SettingsError, match="TTS_API_KEYS"):
        Settings.from_environ({"TTS_API_KEYS": text})


def test_a_key_is_not_shown() -> None:
    assert "hush" not in repr(parse_api_keys(one()))


def test_a_caller_is_known_by_name() -> None:
    keys = Keys(parse_api_keys(one()), probe="probe")
    callers = [keys.identify(f"Bearer {key}") for key in (SECRET, "probe", "other")]
    assert [caller and caller.name for caller in callers] == ["shop", "operator", None]
    anyone = Keys(()).identify("")
    assert anyone
    assert anyone.name == "anonymous"
