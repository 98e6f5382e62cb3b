"""Each rule for numbers by itself: its examples, its switch, its trace."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tts_server.text import RuleUse, normalise, normalise_with_trace
from tts_server.text.rules import RULES, Rule

LISTS = Path(__file__).parent.parent / "readings"


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_examples_are_read_as_documented(rule: Rule) -> None:
    assert rule.examples
    for written, spoken in rule.examples.items():
        assert normalise(written) == spoken


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_a_rule_shows_in_the_trace_of_an_example_until_it_is_switched_off(rule: Rule) -> None:
    def used(*, without: set[str]) -> set[str]:
        traces = (normalise_with_trace(written, without=without)[1] for written in rule.examples)
        return {name for trace in traces for use in trace for name in use.rules}

    assert rule.name in used(without=set())
    assert rule.name not in used(without={rule.name})


def test_names_and_descriptions() -> None:
    names = [rule.name for rule in RULES]
    assert len(set(names)) == len(names)
    assert "sign" not in names
    assert all(rule.description.endswith(".") for rule in RULES)


def test_a_trace_tells_where_each_part_is_and_what_was_written() -> None:
    text, uses = normalise_with_trace("  周一—周五，¥1,234.50 或 5—10天")
    assert text == "周一到周五,一千二百三十四点五元 或 五到十天"
    assert uses == [
        RuleUse(("range-dash", "spoken-range"), "—", "到", 2),
        RuleUse(("thousands-commas", "sum-after-symbol"), "¥1,234.50", "一千二百三十四点五元", 6),
        RuleUse(("range-dash", "number-range", "number"), "5—", "五到", 19),
        RuleUse(("number",), "10", "十", 21),
    ]
    assert all(text[use.start : use.start + len(use.spoken)] == use.spoken for use in uses)


def test_a_text_as_it_is_spoken_has_no_trace() -> None:
    assert normalise_with_trace("今天天气很好。") == ("今天天气很好。", [])


def readings(name: str) -> list[tuple[str, str]]:
    lines = (LISTS / name).read_text(encoding="utf-8").splitlines()[1:]
    return [(written, spoken) for written, spoken in (line.split("\t") for line in lines)]


@pytest.mark.parametrize("name,least", [("numbers.tsv", 0.98), ("more_numbers.tsv", 0.95)])
def test_share_of_numbers_read_as_expected(name: str, least: float) -> None:
    def plain(text: str) -> str:
        return "".join(char for char in text if char.isalnum()).casefold()

    lines = readings(name)
    wrong = [
        (written, spoken, normalise(written))
        for written, spoken in lines
        if plain(normalise(written)) not in {plain(spoken), *map(plain, spoken.split("/"))}
    ]
    assert len(wrong) <= (1 - least) * len(lines), wrong


_PIECES = [
    "1",
    "2",
    "2026",
    "-",
    "—",
    "~",
    "/",
    ":",
    ".",
    ",",
    "%",
    "°",
    "㎡",
    "¥",
    "$",
    "k",
    "W",
    "kg",
    "第",
    "年",
    "月",
    "日",
    "周一",
]
_PIECES += ["码", "转", "个", "比分", "No", "A", "x", "=", "+", " ", "\n", "①", "Ⅲ", "′", "銀", "好", "😀"]


@given(st.lists(st.sampled_from(_PIECES), max_size=12).map("".join))
@settings(max_examples=300, deadline=None)
def test_a_trace_fits_the_text_and_no_digit_is_left(written: str) -> None:
    text, uses = normalise_with_trace(written)
    assert not any(char in "0123456789" for char in text)
    end = 0
    for use in uses:
        assert use.start >= end
        end = use.start + len(use.spoken)
        assert text[use.start : end] == use.spoken
