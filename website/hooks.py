"""mkdocs' hook: collect the site's pages in build/docs, from docs/ and from the files that these link to.

In the repository, pages link to files as a Git server shows them. The site shows these files too: a link from
`docs/operations.md` to `../examples/canary.yaml` becomes one to the page `source/examples/canary-yaml.md`, which holds
the file. Markdown files among them, such as CONTRIBUTING.md, become pages.

A link to a page's translation (`faq.zh.md`) becomes one to the page, because mkdocs-static-i18n chooses the language. A
heading has the same anchor in each language, that of the English page, whose headings are in the same order. So a link
works whether its target is translated or not.
"""

from __future__ import annotations

import functools
import posixpath
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
BUILT = ROOT / "build" / "docs"
SOURCE = "source"
"""The folder of the site for files outside docs/."""
LARGEST = 100_000
"""Bytes. A larger file is offered for download; no page shows it."""
LINK = re.compile(r"(?<=\]\()([^)\s#:]*)(#[^)\s]*)?(?=\))")
_HEADING = re.compile(r"^#+ +(.*?) *$", re.MULTILINE)
FENCE = re.compile(r"^( *)(`{3,}).*?^\1\2`*$", re.MULTILINE | re.DOTALL)
CODE = re.compile(FENCE.pattern + r"|(?<!`)`[^`\n]+`(?!`)", re.MULTILINE | re.DOTALL)
_ITEM = re.compile(r"(?:[-*]|\d+\.) ")
_LANGUAGES = {".yaml": "yaml", ".py": "python", ".js": "js", ".css": "css", ".html": "html"}


def on_config(config: Any) -> Any:
    """Collect the pages, and replace each folder in the navigation by its pages."""
    anchors.cache_clear()
    written = collect(list(sources_in(config.nav)))
    for old in BUILT.rglob("*"):
        if old.is_file() and old not in written:
            old.unlink()
    config.nav = list(expand(config.nav))
    return config


def collect(waiting: list[str]) -> set[Path]:
    """Write docs/ and all that it links to into build/docs, as far as it has changed. Return the files.

    `waiting` are paths of further files in the repository.
    """
    waiting += [f"docs/{file.relative_to(ROOT / 'docs')}" for file in (ROOT / "docs").rglob("*") if file.is_file()]
    written: dict[str, Path] = {}
    while waiting:
        path = waiting.pop()
        place = place_of(path)
        if path in written or place is None or (path.startswith("docs/") and not (ROOT / path).is_file()):
            continue
        written[path] = BUILT / place
        whole = ROOT / path
        if path.endswith(".md"):
            text = whole.read_text(encoding="utf-8")
            waiting += [target for _, target in targets(text, path)]
            _write(BUILT / place, separated(rewritten(text, path, place)).encode())
        elif whole.is_dir():
            waiting += [f"{path}/{each.name}" for each in _content(whole)]
            rows = "".join(f"- [{each.name}]({_page(f'{whole.name}/{each.name}')})\n" for each in _content(whole))
            _write(BUILT / place, f"# {path}/\n\n{rows}".encode())
        elif place.endswith(".md"):
            language = _LANGUAGES.get(whole.suffix, "docker" if whole.name.startswith("Dockerfile") else "text")
            code = whole.read_text(encoding="utf-8").rstrip()
            _write(BUILT / place, f"# {path}\n\n``````{language}\n{code}\n``````\n".encode())
        else:
            _write(BUILT / place, whole.read_bytes())
    return set(written.values())


def place_of(path: str) -> str | None:
    """Where the site has a file or folder of the repository; None if there is none."""
    whole = ROOT / path
    if not whole.exists() or path == "docs":
        return "index.md" if path == "docs" else None
    if path.startswith("docs/"):
        page = path if whole.is_file() else f"{path}/index.md"
        return page.removeprefix("docs/") if (ROOT / page).is_file() else None
    return f"{SOURCE}/{path if whole.is_file() and whole.stat().st_size > LARGEST else _page(path)}"


def targets(text: str, path: str) -> Iterator[tuple[str, str]]:
    """Each relative link of a page at `path`, and the path in the repository that it leads to."""
    for found in LINK.finditer(CODE.sub("", text)):
        target = posixpath.normpath(posixpath.join(posixpath.dirname(path), found[1]))
        if found[1] and not target.startswith(".."):
            outside = not target.startswith("docs/")
            yield found[1], target.replace(".zh.md", ".md") if outside else target


def rewritten(text: str, path: str, place: str) -> str:
    """Return the page with links and anchors as they must be at its place in the site."""
    there = dict(targets(text, path))

    def link(found: re.Match[str]) -> str:
        target = there.get(found[1], path)
        new = place_of(target)
        if new is None:
            return found[0]
        if not found[1]:
            return anchors(target).get(found[2][1:], found[2][1:]).join(("#", ""))
        new = posixpath.relpath(new.replace(".zh.md", ".md"), posixpath.dirname(place) or ".")
        return new + (f"#{anchors(target).get(found[2][1:], found[2][1:])}" if found[2] else "")

    parts = []
    own = iter(anchors(path).values())
    translated = path.endswith(".zh.md")
    end = 0
    for code in [*CODE.finditer(text), None]:
        prose = text[end : code.start() if code else len(text)]
        prose = LINK.sub(link, prose)
        parts += [prose, code[0] if code else ""]
        end = code.end() if code else end
    whole = "".join(parts)
    if translated:
        fences = [found.span() for found in FENCE.finditer(whole)]
        whole = _HEADING.sub(
            lambda found: (
                found[0]
                if any(start <= found.start() < end for start, end in fences)
                else f"{found[0]} {{#{next(own)}}}"
            ),
            whole,
        )
    return whole


def separated(text: str) -> str:
    """Return the page with an empty line before each item of a list that follows another paragraph.

    Git servers begin a list there all the same; Python-Markdown does not.
    """
    lines: list[str] = []
    first, fence = "", ""
    for line in text.splitlines():
        bare = line.strip()
        if fence:
            fence = "" if bare == fence else fence
            first = bare
        elif bare.startswith("```"):
            fence = bare[: len(bare) - len(bare.lstrip("`"))]
        elif not bare:
            first = ""
        else:
            is_item = _ITEM.match(bare) is not None
            if is_item and first and not _ITEM.match(first):
                lines.append("")
                first = ""
            first = first or bare
        lines.append(line)
    return "\n".join(lines) + "\n"


def headings(text: str) -> list[str]:
    """Return the anchors of a page's headings, as a Git server makes them."""
    return [slug(found[1]) for found in _HEADING.finditer(FENCE.sub("", text))]


def slug(heading: str) -> str:
    """Return the anchor of a heading: `What it's for` has `what-its-for`."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


@functools.cache
def anchors(path: str) -> dict[str, str]:
    """Return the anchors of a translated page, each with that of the English page; nothing for other pages."""
    if not path.endswith(".zh.md"):
        return {}
    own, english = (headings((ROOT / each).read_text(encoding="utf-8")) for each in (path, path.replace(".zh.", ".")))
    if len(own) != len(english) or len(set(own)) < len(own):
        raise ValueError(f"{path}: its headings must be those of the English page, in the same order, and none twice")
    return dict(zip(own, english, strict=True))


def _page(path: str) -> str:
    """The page of a file. No dot is left in its name: mkdocs-static-i18n takes what follows one for a language."""
    folder, name = posixpath.split(path)
    return path if name.endswith(".md") else posixpath.join(folder, f"{name.replace('.', '-')}.md")


def _content(folder: Path) -> list[Path]:
    shown = {".yaml", ".md", *_LANGUAGES}
    return sorted(each for each in folder.iterdir() if each.is_file() and each.suffix in shown)


def _write(file: Path, content: bytes) -> None:
    """Write only what differs, because `mkdocs serve` builds again at each change."""
    if not file.is_file() or file.read_bytes() != content:
        if file.is_dir():
            shutil.rmtree(file)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)


def expand(nav: list[Any]) -> Iterator[Any]:
    """Yield the navigation with each folder replaced by its pages, its index first."""
    for item in nav:
        title, value = next(iter(item.items())) if isinstance(item, dict) else (None, item)
        if isinstance(value, list):
            yield {title: list(expand(value))}
        elif value.endswith("/"):
            pages = [f"{value}{each.name}" for each in (ROOT / "docs" / value).glob("*.md")]
            pages = sorted(page for page in pages if not page.endswith(".zh.md"))
            pages.sort(key=lambda page: not page.endswith("/index.md"))
            yield from [{title: pages}] if title else pages
        else:
            yield item


def sources_in(nav: list[Any]) -> Iterator[str]:
    """Yield the files of the repository, outside docs/, that the navigation names."""
    for item in nav:
        for value in item.values() if isinstance(item, dict) else [item]:
            if isinstance(value, list):
                yield from sources_in(value)
            elif value.startswith(f"{SOURCE}/"):
                yield value.removeprefix(f"{SOURCE}/")
