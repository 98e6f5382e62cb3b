"""The book of `bench.jobs`: which sentences are lost or doubled in what was said."""

import pytest

from bench.jobs.booktext import book, misread
from tts_server.jobs.planning.chapters import title_finder
from tts_server.jobs.planning.splitting import split

BOOK = book(9000, 1)


def test_it_is_the_same_each_time_and_no_sentence_occurs_twice() -> None:
    assert book(9000, 1) == BOOK
    assert book(9000, 2) != BOOK
    assert len(set(BOOK.sentences)) == len(BOOK.sentences) > 250
    assert 9000 <= len(BOOK.text) < 9500


def test_its_chapters_are_found() -> None:
    titles = [each.title for each in split([BOOK.text], title_finder("heading")) if each.title is not None]
    assert titles == [each for each in BOOK.sentences if "章 " in each]
    assert len(titles) == 2


def test_what_says_all_of_it_is_right_whatever_the_punctuation() -> None:
    assert misread(BOOK.sentences, BOOK.text) == 0
    assert misread(BOOK.sentences, BOOK.text.replace("，", " ").replace("。", "\n\n")) == 0


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace(BOOK.sentences[40], ""),
        lambda text: text.replace(BOOK.sentences[40], BOOK.sentences[40] * 2),
        lambda text: text.replace(BOOK.sentences[40], BOOK.sentences[40][:-4]),
        lambda text: text.replace(BOOK.sentences[40] + BOOK.sentences[41], BOOK.sentences[41] + BOOK.sentences[40]),
        lambda text: text + BOOK.sentences[-1],
        lambda text: text.replace(BOOK.sentences[-1], ""),
    ],
    ids=["lost", "doubled", "cut off", "swapped", "last one doubled", "last one lost"],
)
def test_what_is_wrong_is_counted(change: object) -> None:
    assert callable(change)
    assert 1 <= misread(BOOK.sentences, change(BOOK.text)) <= 2
