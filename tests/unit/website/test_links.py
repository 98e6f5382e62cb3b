"""No link in the documentation is dead: neither on a Git server nor on the site."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path

import pytest

from devcluster.product import ROOT
from tests.unit.website.pages import pages
from website import hooks


def links(page: Path) -> list[tuple[str, str]]:
    """The target and the anchor of each relative link."""
    prose = hooks.CODE.sub("", page.read_text(encoding="utf-8"))
    return [
        (found[1], found[2] or "") for found in re.finditer(r"\]\((?!\w+:)([^)\s#]*)(#[^)\s]*)?(?: [^)]*)?\)", prose)
    ]


def test_each_link_leads_to_a_file_and_a_heading() -> None:
    dead = []
    for page in pages():
        for target, anchor in links(page):
            path = Path(posixpath.normpath(page.parent / target)) if target else page
            if not path.exists():
                dead.append(f"{page.relative_to(ROOT)}: {target}")
            elif anchor and path.suffix == ".md" and anchor[1:] not in hooks.headings(path.read_text(encoding="utf-8")):
                dead.append(f"{page.relative_to(ROOT)}: {target}{anchor}")
    assert dead == []


def test_chinese_pages_link_to_chinese_pages() -> None:
    english = [
        f"{page.relative_to(ROOT)}: {target}"
        for page in pages()
        if page.name.endswith(".zh.md")
        for target, _ in links(page)
        if target.endswith(".md") and not target.endswith(".zh.md")
        if (page.parent / target.replace(".md", ".zh.md")).is_file()
        if (page.parent / target).resolve() != page.with_name(page.name.replace(".zh.md", ".md")).resolve()
    ]
    assert english == []


def test_the_site_knows_each_page() -> None:
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    forgotten = [
        path
        for file in (ROOT / "docs").rglob("*.md")
        if not file.name.endswith(".zh.md")
        if (path := str(file.relative_to(ROOT / "docs"))) not in text and f"{Path(path).parent}/\n" not in text
    ]
    assert forgotten == []


def test_each_link_of_the_site_leads_to_a_page_and_an_anchor(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(hooks, "BUILT", tmp_path)
    found = [page for page in hooks.collect(["CONTRIBUTING.md", "CHANGELOG.md"]) if page.suffix == ".md"]
    assert len(found) > len(list((ROOT / "docs").rglob("*.md")))
    dead = []
    for page in found:
        for target, anchor in links(page):
            path = Path(posixpath.normpath(page.parent / target)) if target else page
            if not path.is_file():
                dead.append(f"{page.relative_to(tmp_path)}: {target}")
            elif anchor and path.suffix == ".md" and anchor[1:] not in anchors(path):
                dead.append(f"{page.relative_to(tmp_path)}: {target}{anchor}")
    assert dead == []


def anchors(page: Path) -> list[str]:
    """The anchors of a page of the site: those that its headings name, or are."""
    text = hooks.CODE.sub("", page.read_text(encoding="utf-8"))
    named = re.findall(r"^#+ .*\{#(.*)\}$", text, re.MULTILINE)
    return [*named, *hooks.headings(page.read_text(encoding="utf-8"))]


def test_a_link_to_a_file_outside_the_folder_leads_to_a_page_with_it() -> None:
    text = "See [a](../examples/canary.yaml), [b](../CONTRIBUTING.md#set-up), and `[c](../LICENSE)`."
    assert hooks.rewritten(text, "docs/operations.md", "operations.md") == (
        "See [a](source/examples/canary-yaml.md), [b](source/CONTRIBUTING.md#set-up), and `[c](../LICENSE)`."
    )


def test_a_list_begins_after_an_empty_line() -> None:
    assert hooks.separated("- a\n  b\n\n  c\n- d\n- e\n") == "- a\n  b\n\n  c\n\n- d\n- e\n"
    assert hooks.separated("Rules:\n1. a\n   b\n2. c\n") == "Rules:\n\n1. a\n   b\n2. c\n"
    assert hooks.separated("- a\n\n  ```sh\n  x\n  - y\n  ```\n- b\n") == "- a\n\n  ```sh\n  x\n  - y\n  ```\n\n- b\n"


def test_a_folder_in_the_navigation_stands_for_its_pages() -> None:
    nav = [{"Run it": ["operations.md", {"Runbooks": "runbooks/"}]}, "architecture/"]
    (run_it, *pages_of_architecture) = hooks.expand(nav)
    assert run_it["Run it"][0] == "operations.md"
    assert run_it["Run it"][1]["Runbooks"][0] == "runbooks/index.md"
    assert "architecture/fencing.md" in pages_of_architecture
    assert not [page for page in pages_of_architecture if page.endswith(".zh.md")]


def test_the_navigation_may_name_files_of_the_repository() -> None:
    nav = [{"More": ["faq.md", {"Contributing": "source/CONTRIBUTING.md"}]}]
    assert list(hooks.sources_in(nav)) == ["CONTRIBUTING.md"]


def test_a_chinese_page_has_the_anchors_of_the_english_one() -> None:
    text = hooks.rewritten((ROOT / "docs/faq.zh.md").read_text(encoding="utf-8"), "docs/faq.zh.md", "faq.zh.md")
    english = hooks.headings((ROOT / "docs/faq.md").read_text(encoding="utf-8"))
    assert re.findall(r"^#+ .* \{#(.*)\}$", text, re.MULTILINE) == english
