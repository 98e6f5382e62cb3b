import re
from dataclasses import replace
from pathlib import Path

import pytest

from tts_server.settings import Settings, SettingsError, all_settings, decoded, settings_markdown, settings_table


def test_defaults() -> None:
    settings = Settings.from_environ({})
    assert settings == Settings()
    assert (settings.port, settings.max_input_characters, settings.engine) == (7860, 500, "fastspeech2")


def test_values_are_read() -> None:
    settings = Settings.from_environ(
        {"TTS_PORT": " 80 ", "TTS_QUEUE_SECONDS": "1.5", "TTS_LOG_LEVEL": "DEBUG", "HOME": "x"}
    )
    assert (settings.port, settings.queue_seconds, settings.log_level) == (80, 1.5, "debug")


def test_an_empty_variable_is_an_unset_one() -> None:
    assert Settings.from_environ({"TTS_PORT": ""}).port == 7860


KEY = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE"


@pytest.mark.parametrize(
    "given, expected",
    [
        ({"TTS_PROBE_PUBLIC_KEY": KEY}, "TTS_PROBE_PUBLIC_KEY also needs TTS_POD_UID"),
        ({"TTS_PROBE_PUBLIC_KEY": KEY[:-3], "TTS_POD_UID": "uid"}, "TTS_PROBE_PUBLIC_KEY must be 32 bytes"),
        ({"TTS_PROBE_PUBLIC_KEY": KEY + "AAAA", "TTS_POD_UID": "uid"}, "TTS_PROBE_PUBLIC_KEY must be 32 bytes"),
        ({"TTS_PROBE_PUBLIC_KEY": "hush, hush", "TTS_POD_UID": "uid"}, "TTS_PROBE_PUBLIC_KEY is not valid base64url"),
        ({"TTS_REDIS_SIGNING_KEY": "hush"}, "TTS_REDIS_SIGNING_KEY must be at least 32 bytes"),
        ({"TTS_REDIS_SIGNING_KEY": "hush!"}, "TTS_REDIS_SIGNING_KEY is not valid base64url"),
    ],
)
def test_a_key_that_cannot_be_used_is_named_and_not_shown(given: dict[str, str], expected: str) -> None:
    with pytest.raises(SettingsError, match=expected) as raised:
        Settings.from_environ(given)
    assert "hush" not in str(raised.value)


@pytest.mark.parametrize("padding", ["", "="])
def test_keys_come_with_padding_or_without(padding: str) -> None:
    given = {"TTS_PROBE_PUBLIC_KEY": KEY + padding, "TTS_POD_UID": "uid", "TTS_REDIS_SIGNING_KEY": KEY + padding}
    settings = Settings.from_environ(given)
    assert decoded(settings.probe_public_key) == decoded(settings.redis_signing_key) == b"\1" * 32
    assert settings.redis_signing_key not in repr(replace(settings, probe_public_key=""))


@pytest.mark.parametrize(
    "variable,value,expected",
    [
        ("TTS_PORT", "http", "TTS_PORT must be a whole number from 1 to 65535, not 'http'."),
        ("TTS_PORT", "0", "TTS_PORT must be a whole number from 1 to 65535, not '0'."),
        ("TTS_PORT", "1.5", "TTS_PORT must be a whole number"),
        ("TTS_QUEUE_SECONDS", "nan", "TTS_QUEUE_SECONDS must be a number from 0 to 3600, not 'nan'."),
        ("TTS_REQUEST_TIMEOUT_SECONDS", "-1", "TTS_REQUEST_TIMEOUT_SECONDS must be"),
        ("TTS_LOG_LEVEL", "loud", "TTS_LOG_LEVEL must be one of debug, info, warning, error, not 'loud'."),
    ],
)
def test_a_bad_value_is_named(variable: str, value: str, expected: str) -> None:
    with pytest.raises(SettingsError, match=re.escape(expected)):
        Settings.from_environ({variable: value})


def test_every_setting_is_in_the_table() -> None:
    table = settings_table()
    assert all(env.startswith("TTS_") and text.endswith(".") for env, _, text in table)
    assert len(table) == len({env for env, _, _ in table}) == len(list(all_settings(Settings)))


def test_the_documentation_has_the_table_as_it_is() -> None:
    text = (Path(__file__).parents[4] / "docs" / "server.md").read_text()
    assert settings_markdown() in text, "run `make generate`"


def test_a_list_of_names() -> None:
    keys = Settings.from_environ({"TTS_API_KEYS": "a, b\n c,"}).api_keys
    assert [(each.name, each.key) for each in keys] == [("key-1", "a"), ("key-2", "b"), ("key-3", "c")]


def test_secrets_are_not_shown() -> None:
    settings = Settings.from_environ({"TTS_API_KEYS": "hush", "TTS_REDIS_URL": "redis://:hush@cache"})
    assert "hush" not in repr(settings)
    with pytest.raises(SettingsError, match=r"TTS_REDIS_URL must begin with redis://") as raised:
        Settings.from_environ({"TTS_REDIS_URL": "http://:hush@cache"})
    assert "hush" not in str(raised.value)


def test_the_table_says_of_each_variable_that_the_operator_sets_what_sets_it() -> None:
    golden = Path(__file__).parents[2] / "operator" / "golden" / "everything.yaml"
    pods = set(re.findall(r"- name: (TTS_\w+)", golden.read_text(encoding="utf-8")))
    pods -= {"TTS_QUEUE_SECONDS"}  # of that spec's podTemplate
    told = {each.metadata["env"] for each in all_settings(Settings) if each.metadata["service"]}
    assert pods
    assert pods <= told
    assert told - pods == {"TTS_THREADS"}, "it is read from the CPU limit, without a variable"
