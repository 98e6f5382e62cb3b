"""What was heard is compared with what was to be said."""

import pytest

from bench.jobs.booktext import book
from bench.jobs.recognition import compared, parts

SENTENCES = (
    "清晨老船长在码头上听见一艘白色的船，路还很长",
    "傍晚年轻的木匠沿着石阶想起一封旧信，谁也没有说话",
    "第一百零三章 秋收过后",
)


def test_what_is_heard_as_written_is_right() -> None:
    heard = compared(SENTENCES, "".join(SENTENCES).replace("一百零三", "103").replace("，", " "))
    assert (heard.lost, heard.doubled, heard.wrong) == (0, 0, 0)
    assert heard.syllables == 21 + 23 + 10


def test_tones_and_words_of_the_same_sound_do_not_matter() -> None:
    assert compared(SENTENCES[:1], "青晨老船長在馬頭上聽見一嫂白色的船路還很長").wrong == 1


def test_a_few_wrong_syllables_lose_no_sentence() -> None:
    heard = compared(SENTENCES[:2], SENTENCES[0] + "傍晚年青的人沿着时间想起旧信，谁都没有说话")
    assert heard.lost == 0
    assert 0 < heard.wrong < 8


@pytest.mark.parametrize("missing", range(3))
def test_a_sentence_that_is_missing_is_lost(missing: int) -> None:
    heard = compared(SENTENCES, "".join(each for at, each in enumerate(SENTENCES) if at != missing))
    assert (heard.lost, heard.doubled) == (1, 0)


@pytest.mark.parametrize("twice", range(3))
def test_a_sentence_that_is_heard_twice_is_doubled(twice: int) -> None:
    heard = compared(SENTENCES, "".join(each * (1 + (at == twice)) for at, each in enumerate(SENTENCES)))
    assert (heard.lost, heard.doubled) == (0, 1)


def test_nothing_was_heard() -> None:
    assert compared(SENTENCES, "").lost == 3


def test_parts_have_a_seam_in_the_middle() -> None:
    text = book(600, 1)
    middle = len(text.text) // 3
    texts, ends = [text.text[:middle], text.text[middle : 2 * middle], text.text[2 * middle :]], [10.0, 20.0, 31.0]
    chosen = parts(texts, ends, 10)
    assert [(each.begin, each.end) for each in chosen] == [(0.0, 20.0), (10.0, 31.0)]
    assert "".join(chosen[0].sentences).startswith("第一章")
    assert parts(texts[:1], ends[:1], 10) == []
