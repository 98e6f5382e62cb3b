"""From frames to the times of words and phonemes, and their way through a cache."""

import json

import numpy as np
import pytest

from tts_server.engines.fastspeech2.alignment import Frames, align
from tts_server.engines.fastspeech2.phonemes import FrontEnd
from tts_server.timing.alignment import Alignment, Phoneme, TimedSentence, Word, pack, unpack

SAMPLES_PER_FRAME = 300


def aligned(
    front_end: FrontEnd, pieces: str, durations: list[int] | None = None, samples: int | None = None
) -> Alignment:
    """The alignment of a text, with a bar between its pieces. Each phoneme has two frames unless ``durations`` says."""
    text = pieces.replace("|", "")
    syllables = front_end.syllables(text)
    phonemes = front_end.spell(syllables)
    frames = np.array(durations or [2] * len(phonemes), np.int32)
    assert len(frames) == len(phonemes), phonemes
    length = int(frames.sum()) * SAMPLES_PER_FRAME if samples is None else samples
    return align(text, pieces.split("|"), syllables, Frames(phonemes, frames), length)


def written(alignment: Alignment) -> list[str]:
    return [word.text for word in alignment.words]


# sil n i2 #0 h ao3 #3 sh iii4 #0 j ie4 sil eos, and the frame with which each begins:
#   0 4 5  7  10 12 17 23 26   28 32 33  38  45, to 53
GREETING = [4, 1, 2, 3, 2, 5, 6, 3, 2, 4, 1, 5, 7, 8]


def test_a_word_begins_with_its_first_phoneme_and_ends_where_the_next_begins_or_a_pause(front_end: FrontEnd) -> None:
    alignment = aligned(front_end, "你好|,|世界", GREETING)
    assert alignment.samples == 53 * SAMPLES_PER_FRAME
    assert written(alignment) == ["你好", "世界"]
    frames = [(word.start / SAMPLES_PER_FRAME, word.end / SAMPLES_PER_FRAME) for word in alignment.words]
    assert frames == [(4, 17), (23, 38)]
    assert alignment.words[0].phonemes == (
        Phoneme("n", 4 * 300, 5 * 300),
        Phoneme("i2", 5 * 300, 10 * 300),
        Phoneme("h", 10 * 300, 12 * 300),
        Phoneme("ao3", 12 * 300, 17 * 300),
    )


@pytest.mark.parametrize("speed", [0.25, 0.9, 1.7, 4])
def test_times_follow_the_speed(front_end: FrontEnd, speed: float) -> None:
    plain = aligned(front_end, "你好|,|世界", GREETING)
    changed = aligned(front_end, "你好|,|世界", GREETING, samples=round(plain.samples / speed))
    for one, other in zip(plain.words, changed.words, strict=True):
        assert other.start == pytest.approx(one.start / speed, abs=1)
        assert other.end == pytest.approx(one.end / speed, abs=1)


@pytest.mark.parametrize(
    "pieces,words",
    [
        ("我们|在|银行|见面", ["我们", "在", "银行", "见面"]),
        ("用|A|P|I|和|iPhone", ["用", "API", "和", "iPhone"]),
        ("don't| |stop", ["don't", "stop"]),
        ("一九九八|年", ["一九九八", "年"]),
        ("去|那|儿|玩", ["去", "那儿", "玩"]),
        ("那|,|那|儿|,|儿子", ["那", "那儿", "儿子"]),
        ("A|B|,|D|E", ["AB", "DE"]),
        ("好", ["好"]),
    ],
)
def test_words_are_pieces_of_the_text(front_end: FrontEnd, pieces: str, words: list[str]) -> None:
    alignment = aligned(front_end, pieces)
    assert written(alignment) == words
    assert all(alignment.text[word.at : word.at + len(word.text)] == word.text for word in alignment.words)


def test_every_sound_belongs_to_a_word_and_time_never_goes_back(front_end: FrontEnd) -> None:
    text = "欢迎您,用API查一下这会儿的订单,谢谢,hello,Tom,八点三十分到安阳"
    alignment = aligned(front_end, "|".join(front_end.words(text)))
    sounds = [sound for word in alignment.words for sound in word.phonemes]
    said = [each for each in front_end.phonemes(text) if each[0].isalpha() and each not in {"sil", "eos"}]
    assert [sound.symbol for sound in sounds] == said
    times = [time for sound in sounds for time in (sound.start, sound.end)]
    assert times == sorted(times)
    assert 0 < times[0] < times[-1] < alignment.samples


def test_a_syllable_without_an_initial_begins_with_its_onset(front_end: FrontEnd) -> None:
    # sil ^ an1 #0 ^ iang2 sil eos
    sounds = [sound for word in aligned(front_end, "安阳", [5, 2, 3, 4, 1, 6, 2, 2]).words for sound in word.phonemes]
    assert sounds == [Phoneme("an1", 5 * 300, 14 * 300), Phoneme("iang2", 14 * 300, 21 * 300)]


WORD = Word("好", 0, (Phoneme("h", 100, 100), Phoneme("ao3", 100, 500)))
SENTENCES = (TimedSentence(0, Alignment("好", 800, (WORD,))), TimedSentence(900, Alignment("", 0, ())))


def test_what_was_packed_is_unpacked() -> None:
    assert unpack(pack(SENTENCES, 900), 900) == SENTENCES


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b"\xff\xfe",
        b"[900]",
        json.dumps([900, [[0, ["好", 800, [["好", 0, []]]]]]]).encode(),
        json.dumps([900, [[0, ["好", 800, [["好", 0, [["h", "soon", 3]]]]]]]]).encode(),
        pack(SENTENCES, 901),
        b"[" * 100_000,
    ],
)
def test_what_is_not_of_this_audio_is_none(data: bytes) -> None:
    assert unpack(data, 900) is None
