"""The Chinese reference of the API, made from the English one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from devcluster.product import ROOT
from website import api

ENGLISH = (ROOT / "docs/api.md").read_text()


def test_the_page_in_the_repository_is_what_is_generated() -> None:
    assert api.page(ENGLISH) == (ROOT / "docs/api.zh.md").read_text(), "run `make generate`"


def test_every_translation_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    said = set()

    def say(text: str) -> str:
        said.add(text)
        return text

    monkeypatch.setattr(api, "chinese", say)
    api.page(ENGLISH)
    assert api.texts().keys() - said == set()


def test_a_description_without_translation_says_where_to_add_it() -> None:
    with pytest.raises(KeyError, match=r"website/api\.zh\.yaml"):
        api.page(ENGLISH.replace("The voice model of the service.", "A new text."))


def test_translations_keep_the_code() -> None:
    lost = {
        english: code
        for english, chinese in api.texts().items()
        for code in re.findall(r"`[^`]+`", english)
        if code not in chinese
    }
    assert lost == {}


def test_types_and_limits_are_translated_outside_of_code() -> None:
    limits = "one item for each `x` and `y`; each: 1 to 3 characters"
    english, chinese = next(iter(api.texts().items()))
    row = f"| `a` | list of string | **required** | {limits} | {english} |"
    text = f"# T\n\n```yaml\na: 1\n```\n\n## metadata\n\n{row}\n"
    assert api.page(text).splitlines()[-1] == (
        f"| `a` | 列表：字符串 | **必填** | 每个 `x` 和 `y` 一项; 每项：1～3 个字符 | {chinese} |"
    )


def test_main_writes_the_page(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "api.md").write_text(ENGLISH)
    monkeypatch.setattr("sys.argv", ["api", str(tmp_path)])
    api.main()
    assert (tmp_path / "api.zh.md").read_text() == api.page(ENGLISH)
