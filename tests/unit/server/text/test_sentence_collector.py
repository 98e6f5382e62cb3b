"""Text that is cut anywhere becomes sentences."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tts_server.text.collector import Piece, SentenceCollector

LIMIT = 20
ANY_TEXT = st.text(alphabet="好a1.,:。！，“” \n…?-", max_size=80)


def said(*fragments: str, limit: int = LIMIT) -> list[str]:
    collector = SentenceCollector(limit)
    pieces = [piece.text for fragment in fragments for piece in collector.add(fragment)]
    last = collector.finish()
    return pieces + ([last.text] if last else [])


@pytest.mark.parametrize(
    "fragments,pieces",
    [
        (["今天", "很好。", "走吧"], ["今天很好。", "走吧"]),
        (["好。好！好？好；", "好\n好"], ["好。", "好！", "好？", "好；", "好\n", "好"]),
        (["真的！", "！！是", "的。"], ["真的！", "是的。"]),
        (["他说：“走吧。”", "我不走。"], ["他说：“走吧。”", "我不走。"]),
        (["他说：“走吧。", "”我不走。"], ["他说：“走吧。", "我不走。"]),
        (["价格是3", ".", "5元。"], ["价格是3.5元。"]),
        (["Hello", ".", " World."], ["Hello.", "World."]),
        (["OK.", "好"], ["OK.", "好"]),
        (["Is it?", "“是”"], ["Is it?", "“是”"]),
        (["共12", ",345元"], ["共12,345元"]),
        (["  \n", "好"], ["好"]),
        (["。。。", " ！"], []),
        ([""], []),
    ],
)
def test_sentences(fragments: list[str], pieces: list[str]) -> None:
    assert said(*fragments) == pieces


@pytest.mark.parametrize(
    "text,pieces",
    [
        ("一二三四五，六七八九十，一二三四五六七八九十", ["一二三四五，六七八九十，", "一二三四五六七八九十"]),
        ("一" * 45, ["一" * 20, "一" * 20, "一" * 5]),
        ("一二三四五六七八九十价格是12345678元", ["一二三四五六七八九十价格是", "12345678元"]),
        ("1" * 30, ["1" * 20, "1" * 10]),
        ("一" * 30 + "。", ["一" * 20, "一" * 10 + "。"]),
    ],
)
def test_text_without_an_end_is_cut_at_the_limit_outside_numbers(text: str, pieces: list[str]) -> None:
    assert said(text) == pieces
    assert said(*text) == pieces


@pytest.mark.parametrize(
    "text,pauses",
    [
        ("我想想，价格是12", ["我想想，", "价格是", "12"]),
        ("共1,234", ["共", "1,234"]),
        ("好", ["好"]),
        ("", []),
    ],
)
def test_a_pause_of_the_text_speaks_what_is_certain_first(text: str, pauses: list[str]) -> None:
    collector = SentenceCollector(LIMIT)
    assert collector.add(text) == []
    pieces = []
    while not collector.empty:
        piece = collector.pause()
        assert piece
        pieces.append(piece.text)
    assert pieces == pauses


def test_what_follows_a_piece_is_silence_as_in_a_whole_text() -> None:
    collector = SentenceCollector(LIMIT)
    assert collector.add("好。") == [Piece("好。", 0, 2, 0.3)]
    collector.add("然后，再")
    assert collector.pause() == Piece("然后，", 2, 5, 0.1)
    assert collector.finish() == Piece("再", 5, 6, 0.0)


@given(ANY_TEXT, st.lists(st.integers(0, 80)))
def test_nothing_is_lost_wherever_the_text_is_cut(text: str, cuts: list[int]) -> None:
    places = [0, *sorted(min(each, len(text)) for each in cuts), len(text)]
    collector = SentenceCollector(LIMIT)
    pieces = [each for begin, end in itertools.pairwise(places) for each in collector.add(text[begin:end])]
    last = collector.finish()
    pieces += [last] if last else []
    end = 0
    for piece in pieces:
        assert text[piece.begin : piece.end] == piece.text
        assert len(piece.text) <= LIMIT
        assert not any(char in "好a1" for char in text[end : piece.begin])
        end = piece.end
    assert not any(char in "好a1" for char in text[end:])
    assert collector.empty


def test_surrogates() -> None:
    collector = SentenceCollector(LIMIT)
    collector.add("\ud83d")
    assert collector.add("\ude00。")[0].text == "\U0001f600。"
    with pytest.raises(UnicodeError):
        collector.add("\ude00")
    collector = SentenceCollector(LIMIT)
    collector.add("\ud83d")
    with pytest.raises(UnicodeError):
        collector.finish()
