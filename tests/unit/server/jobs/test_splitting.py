"""From a text to chapters and segments."""

import tracemalloc
from collections.abc import Iterator

import pytest

from tts_server.jobs.planning.chapters import MAX_TITLES, title_finder
from tts_server.jobs.planning.splitting import Segment, estimated_seconds, split

BOOK = """前言
这是前言。很短。

第一章 开始
他说：“你好。”然后走了！价格是3.14元。Dr. Smith went home.
***
第二章
又一段。
"""


def segments(text: str, mode: str = "none", marker: str = "", *, step: int = 7, speed: float = 1.0) -> list[Segment]:
    fragments = (text[start : start + step] for start in range(0, len(text), step))
    return list(split(fragments, title_finder(mode, marker), speed=speed))  # type: ignore[arg-type]


def test_titles_begin_chapters_and_are_spoken() -> None:
    assert segments(BOOK, "heading") == [
        Segment("前言", 0, 0.8, "前言"),
        Segment("这是前言。很短。\n", 0, 1.2),
        Segment("第一章 开始", 1, 0.8, "第一章 开始"),
        Segment("他说：“你好。”然后走了！价格是3.14元。Dr. Smith went home.", 1, 1.2),
        Segment("第二章", 2, 0.8, "第二章"),
        Segment("又一段。\n", 2, 0.0),
    ]


@pytest.mark.parametrize("step", [1, 2, 5, 1000])
def test_how_the_text_arrives_does_not_matter(step: int) -> None:
    assert segments(BOOK, "heading", step=step) == segments(BOOK, "heading")


@pytest.mark.parametrize(
    "line",
    [
        "第十二回 贾宝玉",
        "第3章",
        "第一百二十章：结局",
        "# One",
        "  ### Two ##",
        "Chapter 12: The End",
        "CHAPTER IV",
        "楔子",
        "尾声",
    ],
)
def test_headings(line: str) -> None:
    assert [each.title for each in segments(f"开头。\n{line}\n正文。", "heading")][1] is not None


@pytest.mark.parametrize(
    "line",
    [
        "第一章节的内容很多。",
        "第二天他来了",
        "#标签",
        "Chapter one was long",
        "序列号",
        "第1章" + "很长" * 40,
        "前言不搭后语",
    ],
)
def test_no_headings(line: str) -> None:
    assert {each.chapter for each in segments(f"开头。\n{line}\n正文。", "heading")} == {0}


def test_a_marker_begins_a_chapter_with_or_without_a_title() -> None:
    found = segments("=== 山\n甲。\n===\n乙。\n=== 水\n", "marker", "===")
    assert [(each.text, each.chapter, each.title) for each in found] == [
        ("山", 0, "山"),
        ("甲。\n", 0, None),
        ("乙。\n", 1, ""),
        ("水", 2, "水"),
    ]


def test_without_chapters_headings_are_text() -> None:
    assert {each.title for each in segments(BOOK)} == {""}


def test_segments_take_about_half_a_minute_and_lose_nothing() -> None:
    text = "山高水长，路远马亡。" * 500 + "\n" + "今天天气很好吗？\n" * 100
    found = segments(text)
    assert "".join(each.text for each in found) == text
    assert all(20 <= estimated_seconds(each.text) <= 45 for each in found[:-1])


def test_faster_speech_has_longer_segments() -> None:
    text = "山高水长，路远马亡。" * 100
    assert len(segments(text, speed=2.0)) * 2 == pytest.approx(len(segments(text)), abs=2)


def test_a_text_without_any_sign_is_cut() -> None:
    found = segments("很长" * 1000, step=999)
    assert "".join(each.text for each in found) == "很长" * 1000
    assert all(each.pause == 0 for each in found)


@pytest.mark.parametrize("text", ["", "***", "\n\n \u3000", "——……", "😀"])
def test_nothing_to_say(text: str) -> None:
    assert segments(text) == []


@pytest.mark.parametrize(
    "text",
    ["Привет, мир. " * 2000, "①" * 20_000, ("a" + "，" * 149) * 200, "é" * 20_000, "नमस्ते " * 4000],
    ids=["cyrillic", "circled", "commas", "accents", "devanagari"],
)
@pytest.mark.parametrize("speed", [0.25, 1.0, 4.0])
def test_no_text_makes_a_segment_of_any_length(text: str, speed: float) -> None:
    assert max(len(each.text) for each in segments(text, step=4096, speed=speed)) <= 3000


@pytest.mark.parametrize("sign", [".", "!", "?;", ".,", ')."'])
def test_rows_of_signs_take_time_in_proportion_to_their_length(sign: str) -> None:
    """If they took time in proportion to its square, this would take an hour."""
    assert segments(sign * 300_000, step=4096) == []


def test_a_text_of_titles_does_not_have_a_segment_for_each() -> None:
    found = segments("# a\n" * 50_000, "heading", step=4096)
    assert len(found) < 2 * MAX_TITLES
    assert sum(each.text.count("a") for each in found) == 50_000


def test_carriage_returns_end_lines() -> None:
    assert segments("第一章\r\n甲。\r\n", "heading", step=4) == segments("第一章\n甲。\n", "heading")


def test_an_unpaired_surrogate_is_an_error() -> None:
    with pytest.raises(UnicodeError):
        segments("好\ud800。")


def test_the_longest_text_takes_little_memory() -> None:
    def book() -> Iterator[str]:
        for chapter in range(100):
            yield f"第{chapter}章 标题\n"
            yield from ["他走过桥，看见了河，又看见了山。" * 4 + "\n"] * 30

    tracemalloc.start()
    try:
        count = sum(1 for _ in split(book(), title_finder("heading")))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert count > 1000
    assert peak < 1_000_000
