"""What the upstream is asked for."""

import json
from typing import Any

import pytest

from tests.unit.server.engines.scripted_upstream import settings_for
from tts_server.engines import Delivery, NothingToSayError, Sentence, plain_script
from tts_server.engines.upstream.engine import Upstream
from tts_server.engines.upstream.requests import SpeechRequests, written
from tts_server.engines.upstream.text import syllables, words
from tts_server.settings.upstream import UpstreamSettings, UpstreamVoice

URL = "http://kokoro:8880/v1"


def asked(settings: UpstreamSettings, text: str = "你好,世界", **how: Any) -> dict[str, Any]:
    sentence = Sentence(text, 4, 0.0, Delivery(how.pop("voice", "xiaoyan"), **how))
    found: dict[str, Any] = json.loads(SpeechRequests(settings).body(sentence))
    return found


def test_a_request_has_what_openai_asks_for() -> None:
    assert asked(settings_for(URL, model="kokoro"), speed=2.0) == {
        "model": "kokoro",
        "input": "你好，世界。",
        "voice": "zf_1",
        "response_format": "wav",
    }


def test_the_speed_is_passed_on_to_an_upstream_that_takes_it() -> None:
    assert asked(settings_for(URL, takes_speed="yes"), speed=2.0)["speed"] == 2.0


def test_emotions_are_instructions() -> None:
    settings = settings_for(URL, emotions=(("happy", "Speak happily."), ("neutral", "Speak plainly.")))
    assert asked(settings, emotion="happy")["instructions"] == "Speak happily."
    assert asked(settings)["instructions"] == "Speak plainly."
    assert "instructions" not in asked(settings_for(URL))
    assert Upstream(settings).emotions == ("neutral", "happy")
    assert Upstream(settings_for(URL)).emotions == ("neutral",)


def test_extra_fields_are_filled_in_and_those_of_a_voice_come_last() -> None:
    voices = (UpstreamVoice("xiaoyan", "zf_1"), UpstreamVoice("jo", "af_jo", "en", body='{"seed": 7, "model": null}'))
    body = '{"seed": 1, "prompt": {"of": ["${voice} ${language} ${emotion} $$5"]}, "stream": true}'
    settings = settings_for(URL, voices=voices, body=body)
    found = asked(settings)
    assert (found["seed"], found["stream"]) == (1, True)
    assert found["prompt"] == {"of": ["zf_1 zh-CN neutral $5"]}
    found = asked(settings, voice="jo")
    assert found["seed"] == 7
    assert "model" not in found


@pytest.mark.parametrize(
    "text,expected",
    [
        ("你好,世界", "你好，世界。"),
        ("你好吗?", "你好吗？"),
        ("hello,world", "hello, world."),
        ("how are you?", "how are you?"),
        ("iPhone很贵", "iPhone很贵。"),
    ],
)
def test_sentences_get_the_signs_of_their_script(text: str, expected: str) -> None:
    assert written(text) == expected


@pytest.mark.parametrize(
    "text,expected",
    [
        ("", 0),
        ("，。!…", 0),
        ("你好", 2),
        ("hello", 2),
        ("CPU", 3),
        ("你hello好", 4),
        ("こんにちは", 5),
        ("한국", 2),
        ("a1", 1),
    ],
)
def test_syllables(text: str, expected: int) -> None:
    assert syllables(text) == expected


@pytest.mark.parametrize("text", ["", "你好 world", "it's OK_fine—好", "こんにちは、世界。\n한국어"])
def test_words_are_the_text(text: str) -> None:
    assert "".join(words(text)) == text


def test_words_are_not_cut() -> None:
    assert words("说hello it's好") == ["说", "hello", " ", "it's", "好"]


def test_numbers_are_written_out_and_long_texts_split() -> None:
    engine = Upstream(settings_for(URL, sentence_syllables=10))
    sentences = engine.plan(plain_script("今天3°C。一二三四五六七八九十，一二三四五六七八九十。", Delivery("xiaoyan")))
    assert "3" not in sentences[0].text
    assert len(sentences) == 3
    assert all(0 < each.syllables <= 10 for each in sentences)
    with pytest.raises(NothingToSayError):
        engine.plan(plain_script("……！", Delivery("xiaoyan")))
