"""What may be written in the settings of the upstream, and what is said about the rest."""

import json
import re
from dataclasses import replace
from typing import Any

import pytest

from tests.unit.server.engines.scripted_upstream import settings_for
from tts_server.engines import EngineError, create_engine
from tts_server.engines.upstream.engine import Upstream
from tts_server.settings import Settings, SettingsError
from tts_server.settings.upstream import UpstreamVoice

URL = "http://kokoro:8880/v1"


def read(**given: str) -> Settings:
    return Settings.from_environ({f"TTS_UPSTREAM_{name}": value for name, value in given.items()})


@pytest.mark.parametrize(
    "given,expected",
    [
        (URL, URL),
        ("http://kokoro:8880", URL),
        ("http://kokoro:8880/", URL),
        ("https://[::1]/speech/v1/", "https://[::1]/speech/v1"),
    ],
)
def test_urls(given: str, expected: str) -> None:
    assert read(URL=given).upstream.url == expected


def test_voices_by_name_and_as_an_object() -> None:
    assert read(VOICES="zf_xiaobei, zm_yunxi").upstream.voices == (
        UpstreamVoice("zf_xiaobei", "zf_xiaobei"),
        UpstreamVoice("zm_yunxi", "zm_yunxi"),
    )
    given = {"小燕": "zf_xiaobei", "jo": {"voice": "af_jo", "language": "en", "name": "Jo", "body": {"seed": 1}}}
    assert read(VOICES=json.dumps(given)).upstream.voices == (
        UpstreamVoice("小燕", "zf_xiaobei"),
        UpstreamVoice("jo", "af_jo", "en", "Jo", '{"seed": 1}'),
    )


@pytest.mark.parametrize(
    "name,value,says",
    [
        ("URL", "kokoro:8880", "TTS_UPSTREAM_URL must be a URL with http or https"),
        ("URL", "ftp://kokoro", "must be a URL with http or https"),
        ("URL", "http://kokoro:port", "is not a URL"),
        ("URL", "http://me:hush@kokoro", "Put the key into TTS_UPSTREAM_API_KEY"),
        ("URL", "http://kokoro/v1?key=hush", "must end with its path"),
        ("VOICES", "{", "TTS_UPSTREAM_VOICES is not valid JSON"),
        ("VOICES", "{}", "must have from 1 to 500 voices"),
        ("VOICES", "a b a", "has a voice twice"),
        ("VOICES", '{"a b": "c"}', "has the voice 'a b'"),
        ("VOICES", '{"a": 1}', 'TTS_UPSTREAM_VOICES.a must be its name at the upstream, or {"voice"'),
        ("VOICES", '{"a": {"speaker": "b"}}', ".a has the unknown field 'speaker'. Known are voice"),
        ("VOICES", '{"a": {"language": "Mandarin Chinese"}}', ".a.language must be a language tag, such as zh-CN"),
        ("VOICES", '{"a": {"body": {"input": "x"}}}', ".a.body must not have the field 'input'"),
        ("EMOTIONS", '["happy"]', "must be a JSON object"),
        ("EMOTIONS", '{"happy": 1}', '.happy must be the instructions for the upstream, such as "Speak happily."'),
        ("BODY", '{"response_format": "mp3"}', "must not have the field 'response_format'"),
        ("BODY", '{"a": ["${speaker}"]}', "has the text '${speaker}'. It may contain ${voice}, ${language}"),
        ("BODY", '{"price": "5 $"}', "Write $$ for a dollar sign"),
        ("READY_PATH", "health", "must be a path that begins with '/', such as /health"),
        ("FORMAT", "mp3", "must be one of wav, pcm"),
        ("SAMPLE_RATE", "96000", "must be a whole number from 8000 to 48000"),
    ],
)
def test_a_bad_value_is_explained(name: str, value: str, says: str) -> None:
    with pytest.raises(SettingsError, match=re.escape(says)) as raised:
        read(**{name: value})
    assert str(raised.value).startswith(f"TTS_UPSTREAM_{name}")
    assert "hush" not in str(raised.value)


def test_the_key_is_not_shown() -> None:
    assert "hush" not in repr(read(API_KEY="hush"))


@pytest.mark.parametrize("missing,says", [("URL", "needs TTS_UPSTREAM_URL"), ("VOICES", "needs TTS_UPSTREAM_VOICES")])
def test_the_engine_needs_an_address_and_voices(missing: str, says: str) -> None:
    given = {"URL": URL, "VOICES": "a"}
    del given[missing]
    settings = replace(read(**given), engine="upstream")
    with pytest.raises(EngineError, match=says):
        create_engine(settings)


@pytest.mark.parametrize(
    "more,changes",
    [
        ({"model": "other"}, True),
        ({"url": "http://other/v1"}, True),
        ({"voices": (UpstreamVoice("xiaoyan", "zf_2"),)}, True),
        ({"emotions": (("happy", "Be happy."),)}, True),
        ({"body": '{"seed": 1}'}, True),
        ({"response_format": "pcm"}, True),
        ({"sample_rate": 16_000}, True),
        ({"takes_speed": "yes"}, True),
        ({"revision": "sha256:1"}, True),
        ({"api_key": "hush"}, False),
        ({"ready_path": "/ready"}, False),
        ({"idle_seconds": 1.0}, False),
    ],
)
def test_the_revision_changes_with_the_sound(more: dict[str, Any], changes: bool) -> None:
    settings = settings_for(URL)
    assert (Upstream(replace(settings, **more)).revision != Upstream(settings).revision) is changes


def test_the_revision_begins_with_what_was_told() -> None:
    assert Upstream(settings_for(URL, revision="kokoro-1.0")).revision.startswith("kokoro-1.0-")
