"""English and Chinese say the same: the same pages, the same headings, and the same code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from devcluster.product import ROOT
from tests.unit.website.pages import blocks, documentation

PAGES = documentation()
TRANSLATED = {"sh", "yaml", "python", "json", "js", "xml", "nginx", "ini"}
"""Languages of blocks that differ only in their comments."""


def chinese(page: Path) -> Path:
    return page.with_name(page.name.replace(".md", ".zh.md"))


def levels(page: Path) -> list[int]:
    prose = re.sub(r"^( *)(`{3,}).*?^\1\2`*$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    return [len(found) for found in re.findall(r"^(#+) ", prose, re.MULTILINE)]


def test_each_page_is_there_in_both_languages() -> None:
    assert [page.name for page in PAGES if not chinese(page).is_file()] == []
    lonely = [
        page for page in (ROOT / "docs").rglob("*.zh.md") if not Path(str(page).replace(".zh.md", ".md")).is_file()
    ]
    assert lonely == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_both_languages_have_the_same_headings(page: Path) -> None:
    assert levels(chinese(page)) == levels(page)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_both_languages_have_the_same_code(page: Path) -> None:
    english, translation = list(blocks(page)), list(blocks(chinese(page)))
    assert [block.language for block in translation] == [block.language for block in english]
    for one, other in zip(english, translation, strict=True):
        if one.language in TRANSLATED:
            assert other.essence == one.essence, f"{one.place} and {other.place} differ"


@pytest.mark.parametrize("page", [page for page in PAGES if page.name != "api.md"], ids=lambda page: page.name)
def test_the_chinese_page_is_chinese(page: Path) -> None:
    """Each paragraph of more than a few words has Chinese characters; but for messages of the API server."""
    text = chinese(page).read_text(encoding="utf-8")
    prose = re.sub(r"^( *)(`{3,}).*?^\1\2`*$|`[^`\n]*`|\]\([^)]*\)|<[^>]*>", " ", text, flags=re.MULTILINE | re.DOTALL)
    english = [
        part
        for part in re.split(r"\n\s*\n|\n(?=[|*-] ?)", prose)
        if len(re.findall(r"[A-Za-z]{2,}", part)) > 12 and not re.search(r"[\u4e00-\u9fff]", part)
    ]
    assert english == []


def test_both_languages_have_the_same_settings_of_the_server() -> None:
    """The English table is generated; the Chinese one has the same variables, defaults, and ranges."""

    def rows(page: str) -> list[list[str]]:
        lines = (ROOT / "docs" / page).read_text(encoding="utf-8").splitlines()
        return [[cell.strip() for cell in line.split("|")[1:4]] for line in lines if line.startswith("| `TTS_")]

    assert rows("server.zh.md") == rows("server.md")
