"""A wrong reading can be found, explained and put right with the list of phonemes."""

from collections.abc import Mapping
from typing import Any

import pytest

from tts_server.api.endpoints.phonemes import described
from tts_server.cache.memory import AudioCache
from tts_server.engines.fastspeech2.engine import FastSpeech2
from tts_server.engines.fastspeech2.phonemes import FrontEnd
from tts_server.observability.metrics import Metrics
from tts_server.synthesis.service import SpeechService, Utterance


@pytest.fixture
def service(front_end: FrontEnd) -> SpeechService:
    engine = FastSpeech2()
    engine._front_end = front_end  # the networks are not needed
    return SpeechService(engine, threads=1, queue_seconds=1, cache=AudioCache(0), metrics=Metrics())


def describe(service: SpeechService, text: str, lexicon: Mapping[str, str] | None = None) -> dict[str, Any]:
    script = service.script(Utterance(text, lexicon=lexicon or {}))
    return described(service.engine, script, service.engine.plan(script))


def syllables(found: dict[str, Any]) -> list[tuple[str, ...]]:
    return [
        (each["text"], each["pinyin"], " ".join(each["phonemes"]), each["source"], each["reading"])
        for sentence in found["sentences"]
        for clause in sentence["clauses"]
        for each in clause["syllables"]
    ]


def test_a_wrong_reading_is_found_and_put_right(service: SpeechService) -> None:
    # A made-up name, which no dictionary can know: Hang Chang, not Xing Zhang.
    wrong = syllables(describe(service, "行长河"))
    assert ("行", "hang2", "h ang2", "text", "lexicon") not in wrong
    assert {each[4] for each in wrong} == {"word", "character"}
    right = syllables(describe(service, "行长河", {"行长河": "hang2 chang2 he2"}))
    assert right == [
        ("行", "hang2", "h ang2", "text", "lexicon"),
        ("长", "chang2", "ch ang2", "text", "lexicon"),
        ("河", "he2", "h e2", "text", "lexicon"),
    ]


def test_each_part_says_where_it_comes_from(service: SpeechService) -> None:
    text = (
        '<speak>用<sub alias="云">cloud</sub>，<say-as interpret-as="digits">12</say-as>'
        '<phoneme alphabet="pinyin" ph="hang2">行</phoneme>AI玩儿</speak>'
    )
    assert [(each[0], each[1], *each[3:]) for each in syllables(describe(service, text))] == [
        ("用", "yong4", "text", "character"),
        ("云", "yun2", "sub", "character"),
        ("一", "yi1", "say-as", "character"),
        ("二", "er4", "say-as", "character"),
        ("行", "hang2", "text", "phoneme"),
        ("AI", "ei1", "text", "latin"),
        ("", "ai4", "text", "latin"),
        ("玩儿", "wanr2", "text", "character"),
    ]


def test_rules_say_what_they_have_rewritten(service: SpeechService) -> None:
    assert describe(service, "第2天住2晚。")["rules"] == [
        {"written": "第2", "spoken": "第二", "rules": ["ordinal"]},
        {"written": "2", "spoken": "两", "rules": ["two"]},
    ]


def test_a_question_keeps_its_mark(service: SpeechService) -> None:
    assert describe(service, "您好吗？再见。")["normalized"] == "您好吗?再见"


def test_sentences_and_clauses(service: SpeechService) -> None:
    found = describe(service, "您好，世界。再见")
    assert found["normalized"] == "您好,世界。再见"
    assert [[clause["text"] for clause in each["clauses"]] for each in found["sentences"]] == [
        ["您好", "世界"],
        ["再见"],
    ]
    assert [each["pause"] for each in found["sentences"]] == [0.3, 0.0]


def test_an_engine_that_keeps_its_readings_says_so(service: SpeechService, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FastSpeech2, "pronounce", lambda *_: None)
    assert describe(service, "您好")["sentences"][0]["clauses"] is None
