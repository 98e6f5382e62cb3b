"""Captions and mouth shapes from the times of words. Other libraries read the captions."""

import io
import re

import pysubs2
import pytest
import webvtt

from tts_server.engines.fastspeech2.phonemes import FrontEnd
from tts_server.timing.alignment import Alignment, Phoneme, TimedSentence, Word
from tts_server.timing.captions import Cue, cues, srt, vtt
from tts_server.timing.report import report
from tts_server.timing.visemes import shapes, visemes

RATE = 1000  # so that a sample is a millisecond
SRT = re.compile(r"(?:\d+\n\d\d:\d\d:\d\d,\d{3} --> \d\d:\d\d:\d\d,\d{3}\n[^\n]+\n\n)*")


def sentence(start: int, pieces: str, word: int = 200, pause: int = 100) -> TimedSentence:
    """Words between bars, of ``word`` ms each; a comma lasts ``pause`` ms, and so does the silence at the beginning."""
    words, at, now = [], 0, pause
    for piece in pieces.split("|"):
        if piece not in ",?":
            words.append(Word(piece, at, (Phoneme("a1", now, now + word),)))
        now += pause if piece in ",?" else word
        at += len(piece)
    return TimedSentence(start, Alignment(pieces.replace("|", ""), now + pause, tuple(words)))


def captions(*sentences: TimedSentence, samples: int = 60_000) -> list[Cue]:
    return cues(sentences, samples=samples, sample_rate=RATE)


def test_a_sentence_is_a_caption_while_it_fits_into_a_line() -> None:
    made = captions(sentence(0, "今天|天气|很好"), sentence(2000, "我们|去|玩"))
    assert [(cue.start, cue.end, cue.text) for cue in made] == [(100, 933, "今天天气很好"), (2100, 2933, "我们去玩")]


def test_a_long_one_is_cut_at_a_pause_or_else_in_the_middle_between_words() -> None:
    long = "欢迎|致电|我们|客户|服务|中心|,|请问|有|什么|可以|帮您"
    assert [cue.text for cue in captions(sentence(0, long))] == ["欢迎致电我们客户服务中心", "请问有什么可以帮您"]
    endless = "|".join(["春眠不觉晓", "处处闻啼鸟", "夜来风雨声", "花落知多少"] * 3)
    texts = [cue.text for cue in captions(sentence(0, endless))]
    assert [len(text) for text in texts] == [15, 15, 15, 15]
    assert "".join(texts) == endless.replace("|", "")


def test_punctuation_is_printed_as_in_chinese_and_a_line_ends_without_a_comma() -> None:
    assert [cue.text for cue in captions(sentence(0, "好|,|再见"))] == ["好，再见"]
    asked = sentence(0, "|".join(["好"] * 18 + [",", "您", "记住", "了", "吗", "?"]))
    assert [cue.text for cue in captions(asked)] == ["好" * 18, "您记住了吗？"]
    [karaoke] = captions(sentence(0, "您|好|吗|?"))
    assert vtt([karaoke], words=True).endswith("吗？\n")


def test_latin_letters_count_half() -> None:
    assert len(captions(sentence(0, "please| |open| |the| |window| |now"))) == 1
    assert len(captions(sentence(0, "|".join(["好"] * 24)))) == 2


def test_a_short_caption_stays_until_the_next_one_or_the_end_of_the_audio() -> None:
    made = captions(sentence(0, "好"), sentence(500, "好"), sentence(5000, "好"), samples=5500)
    assert [(cue.start, cue.end) for cue in made] == [(100, 600), (600, 1433), (5100, 5500)]


def test_a_word_without_length_is_still_a_caption() -> None:
    [cue] = captions(sentence(0, "好", word=0, pause=0), samples=0)
    assert (cue.start, cue.end) == (0, 1)


def as_made(made: list[Cue]) -> list[tuple[int, int, str]]:
    return [(cue.start, cue.end, cue.text) for cue in made]


def as_read(read: webvtt.WebVTT) -> list[tuple[int, int, str]]:
    return [(each.start_time.in_milliseconds(), each.end_time.in_milliseconds(), each.text) for each in read.captions]


LONG = [sentence(number * 4000, "今天|天气|很好|,|我们|去|公园|玩", word=400) for number in range(1000)]


def test_srt_is_what_other_libraries_read() -> None:
    made = captions(*LONG, samples=4_000_000)
    text = srt(made)
    assert SRT.fullmatch(text)
    read = pysubs2.SSAFile.from_string(text, format_="srt")
    assert [(each.start, each.end, each.plaintext) for each in read] == as_made(made)
    assert read[-1].start > 3_600_000  # more than an hour
    assert as_read(webvtt.from_buffer(io.StringIO(text), format="srt")) == as_made(made)
    assert srt([]) == ""


@pytest.mark.parametrize("words", [False, True])
def test_webvtt_is_what_another_library_reads(words: bool) -> None:
    made = captions(*LONG, samples=4_000_000)
    assert as_read(webvtt.from_string(vtt(made, words=words), strict=True)) == as_made(made)
    assert as_read(webvtt.from_string(vtt([], words=words), strict=True)) == []


def test_karaoke_says_when_each_word_begins() -> None:
    [cue] = captions(sentence(0, "今天|,|很好"))
    assert vtt([cue], words=True).splitlines()[2:] == ["00:00:00.100 --> 00:00:00.933", "今天，<00:00:00.400>很好"]
    at_once = captions(sentence(0, "今天|很好", word=0))
    assert "<" not in vtt(at_once, words=True)


def test_text_is_neither_markup_nor_another_caption() -> None:
    hostile = "a<b>&\n\n1\n00:00:00,000 --> 00:00:09,000\nx"
    made = [TimedSentence(0, Alignment(hostile, 9000, (Word(hostile, 0, (Phoneme("a1", 0, 9000),)),)))]
    for text in (vtt(captions(*made)), vtt(captions(*made), words=True)):
        assert [each.start for each in webvtt.from_string(text, strict=True).captions] == ["00:00:00.000"]
        assert "<" not in text
    assert len(pysubs2.SSAFile.from_string(srt(captions(*made)), format_="srt")) == 1


def test_a_report_has_what_was_asked_for_in_seconds_of_the_answer() -> None:
    both = [(4, sentence(0, "好|的")), (5, sentence(1000, "再见")), (6, TimedSentence(2000, Alignment("", 500, ())))]
    assert report(both, ["word"], RATE) == {
        "words": [
            {"word": "好", "start": 0.1, "end": 0.3, "segment": 4},
            {"word": "的", "start": 0.3, "end": 0.5, "segment": 4},
            {"word": "再见", "start": 1.1, "end": 1.3, "segment": 5},
        ]
    }
    everything = report(both, ["viseme", "phoneme", "segment", "word"], RATE)
    assert list(everything) == ["segments", "words", "phonemes", "visemes"]
    assert everything["segments"] == [
        {"id": 4, "start": 0.1, "end": 0.5, "text": "好的"},
        {"id": 5, "start": 1.1, "end": 1.3, "text": "再见"},
    ]
    assert everything["phonemes"][-1] == {"phoneme": "a1", "start": 1.1, "end": 1.3}
    assert [(each["viseme_id"], each["start"]) for each in everything["visemes"]] == [
        (0, 0.0), (2, 0.1), (0, 0.5), (0, 1.0), (2, 1.1), (0, 1.3), (0, 2.0),
    ]  # fmt: skip # pairs


def spoken(*sounds: tuple[str, int, int]) -> Alignment:
    words = tuple(Word("字", index, (Phoneme(*sound),)) for index, sound in enumerate(sounds))
    return Alignment("字" * len(sounds), 2000, words)


def test_every_initial_and_final_has_a_shape(front_end: FrontEnd) -> None:
    symbols = {each for syllable in front_end._syllables.values() for each in syllable} - {"^"}
    assert len(symbols) > 50
    assert [each for each in sorted(symbols) if not shapes(each)] == []
    assert all(0 < shape <= 21 for each in symbols for shape in shapes(each + "3"))


@pytest.mark.parametrize("symbol,expected", [("b", 21), ("f", 18), ("er5", 5), ("ao4", 9), ("sh", 16), ("z", 15)])
def test_shapes_are_those_of_azure(symbol: str, expected: int) -> None:
    assert shapes(symbol) == (expected,)


def test_a_glide_is_several_shapes_and_a_pause_closes_the_mouth() -> None:
    made = visemes(spoken(("iang4", 100, 400), ("ai4", 400, 600), ("a1", 800, 900)), RATE)
    assert made == [(0, 0), (6, 100), (2, 200), (20, 300), (11, 400), (0, 600), (2, 800), (0, 900)]


def test_lips_close_before_a_consonant_sounds_but_a_vowel_keeps_its_first_half() -> None:
    made = visemes(spoken(("m", 100, 150), ("a1", 150, 400), ("b", 400, 400), ("a1", 400, 450), ("p", 450, 450)), RATE)
    assert made == [(0, 0), (21, 60), (2, 150), (21, 360), (2, 400), (21, 425), (0, 450)]


def test_the_same_shape_goes_on_and_time_never_goes_back() -> None:
    assert visemes(spoken(("sh", 100, 150), ("iii4", 150, 400)), RATE) == [(0, 0), (16, 60), (0, 400)]
    crowded = visemes(spoken(*((symbol, 10, 10) for symbol in ("iang1", "b", "a1", "uai2"))), RATE)
    starts = [start for _, start in crowded]
    assert starts == sorted(set(starts))
    assert visemes(Alignment("", 500, ()), RATE) == [(0, 0)]
