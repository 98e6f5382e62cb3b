"""Every command that the README, the quick start, and the tutorials show runs in tests/docs, or says why it cannot."""

from __future__ import annotations

import re

import pytest

from devcluster.product import ROOT
from tests.docs.steps import Instead, LeftOut, Reading, Shows, file_of, followed, steps
from tests.docs.table import READINGS
from tests.unit.website.pages import Block, blocks

NEEDS_THE_READERS_WORD = re.compile(
    r"URL-OF|DIRECTORY-OF|=\.\.\.|\bNAME\b|/ID\b|MODELSCOPE_WHEEL_PAGE|PYTORCH_CPU_INDEX"
)
"""What a reader replaces by something of their own."""
_NAMED = re.compile(r"(?:-f|--values) (?P<file>[\w-]+\.yaml)\b")


@pytest.fixture(params=READINGS)
def page(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def there(page: str) -> list[Block]:
    return followed(ROOT / page)


def test_every_tutorial_is_followed() -> None:
    tutorials = {path for path in (ROOT / "docs/tutorials").glob("*.md") if not path.name.endswith(".zh.md")}
    pages = {ROOT / "README.md", ROOT / "docs/quickstart.md", *tutorials}
    assert {ROOT / page for page in READINGS} == pages


def test_nothing_in_the_table_is_stale(page: str) -> None:
    reading, code = READINGS[page], [block.code for block in there(page)]
    assert [each for each in reading.instead if not any(each.text in text for text in code)] == []
    parts = [*(each.has for each in reading.left_out), *(each.has for each in reading.shows)]
    assert [part for part in parts if sum(part in text for text in code) != 1] == []
    left_out = [block.place for block in there(page) if any(each.has in block.code for each in reading.left_out)]
    shown = [block.place for block in there(page) if any(each.has in block.code for each in reading.shows)]
    assert len(left_out) == len(reading.left_out)
    assert len(shown) == len(reading.shows)
    assert set(left_out) & set(shown) == set()


def test_every_exception_says_why(page: str) -> None:
    reading = READINGS[page]
    assert all(each.because for each in reading.instead)
    assert all(each.because for each in reading.left_out)


def test_what_is_typed_needs_no_word_of_the_readers(page: str) -> None:
    typed = [step for step in steps(ROOT / page, READINGS[page]) if step.file is None]
    assert typed
    assert [step.block.place for step in typed if NEEDS_THE_READERS_WORD.search(step.typed)] == []


def test_every_file_that_a_command_names_is_a_block_of_the_page(page: str) -> None:
    saved = {file_of(block) for block in there(page)} - {None}
    shown = [block.code for block in there(page) if block.language == "sh"]
    typed = [step.typed for step in steps(ROOT / page, READINGS[page]) if step.file is None]
    assert {found["file"] for text in (*shown, *typed) for found in _NAMED.finditer(text)} == saved


def test_the_chinese_page_is_followed_in_the_same_way(page: str) -> None:
    """The same blocks are run and saved; only comments differ."""
    chinese = ROOT / page.replace(".md", ".zh.md")
    pairs = zip(steps(ROOT / page, READINGS[page]), steps(chinese, READINGS[page]), strict=True)
    for english, translated in pairs:
        assert (english.file, english.shows) == (translated.file, translated.shows)
        assert english.block.essence == translated.block.essence


def test_a_block_is_left_out_changed_saved_or_continued_in_another_shell() -> None:
    page = ROOT / "docs/tutorials/first-service.md"
    reading = Reading(
        instead=(Instead("namespace speech", "namespace mine", "a test"),),
        left_out=(LeftOut("git clone", "a test"),),
        shows=(Shows("v1/audio/voices", "baker"),),
    )
    found = list(steps(page, reading))
    assert len(found) == len([block for block in blocks(page) if block.language in {"sh", "python"}])
    assert not any("git clone" in step.typed for step in found)
    assert found[1].file == "narrator.yaml"
    assert found[2].typed.startswith("kubectl create namespace mine\n")
    assert any(step.typed.endswith("7860:80 &\n") for step in found)
    assert [step.shows for step in found if step.shows] == [Shows("v1/audio/voices", "baker")]
