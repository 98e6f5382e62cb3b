"""EPUB books: what is read of them, and which are refused."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest

from tts_operator.cli.jobs import epub, text
from tts_operator.cli.refused import RefusedError

CONTAINER = '<container><rootfiles><rootfile full-path="OEBPS/book.opf" media-type="x"/></rootfiles></container>'
PACKAGE = """<?xml version="1.0"?><opf:package xmlns:opf="http://www.idpf.org/2007/opf"><opf:manifest>
<opf:item id="nav" href="nav.xhtml" media-type="application/xhtml+xml" properties="nav"/>
<opf:item id="b" href="text/%E4%B8%8B.xhtml" media-type="application/xhtml+xml"/>
<opf:item id="a" href="../a.xhtml#top" media-type="application/xhtml+xml"/>
<opf:item id="notes" href="notes.xhtml" media-type="application/xhtml+xml"/>
<opf:item id="cover" href="cover.png" media-type="image/png"/>
</opf:manifest><opf:spine><opf:itemref idref="cover"/><opf:itemref idref="nav"/><opf:itemref idref="a"/>
<opf:itemref idref="notes" linear="no"/><opf:itemref idref="b"/><opf:itemref idref="none"/></opf:spine></opf:package>"""
FIRST = """<?xml version="1.0" encoding="utf-8"?><!DOCTYPE html><html><head><title>不读</title><style>p{}</style></head>
<body><h1>第一章<br/>山</h1><p>山高&nbsp;水长，<ruby>路<rt>lù</rt></ruby>远<a epub:type="noteref" href="#1">1</a>马亡。
</p><script src="a.js"/><p>&#x597d;&amp;</p></body></html>"""
FILES = {
    "mimetype": "application/epub+zip",
    epub.CONTAINER: CONTAINER,
    "OEBPS/book.opf": PACKAGE,
    "a.xhtml": FIRST,
    "OEBPS/text/下.xhtml": "<html><body><h2>第二章</h2>很好。</body></html>",
    "OEBPS/nav.xhtml": "目录",
    "OEBPS/notes.xhtml": "注",
    "OEBPS/cover.png": "png",
}


def book(**changed: str | bytes | None) -> bytes:
    """A book with these files in the place of others, or, where they are None, without them."""
    files = {**FILES, **changed}
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            if data is not None:
                archive.writestr(name, data)
    return target.getvalue()


def test_a_book_is_read_in_its_order() -> None:
    assert text.decode(book(), "book.epub").split("\n") == [
        "# 第一章 山",
        "山高 水长，路远马亡。",
        "好&",
        "",
        "## 第二章",
        "很好。",
    ]


def test_a_book_in_utf16(tmp_path: Path) -> None:
    file = tmp_path / "book.epub"
    file.write_bytes(book(**{"a.xhtml": FIRST.encode("utf-16"), "OEBPS/cover.png": bytes(text.BYTES_MAX)}))
    assert "山高 水长" in text.decode(text.read(str(file)), "book.epub")


ENTITY = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;"><!ENTITY f SYSTEM "file:///etc/passwd">]>'


def test_entities_of_a_book_are_not_expanded() -> None:
    found = text.decode(book(**{"a.xhtml": f"{ENTITY}<p>很好。&b;&f;</p>"}), "book.epub")
    assert "aaa" not in found
    assert "root" not in found


@pytest.mark.parametrize(
    "changed, complaint",
    [
        ({"META-INF/container.xml": "<container/>"}, "is damaged: it names no text"),
        ({"OEBPS/book.opf": None}, "is damaged: There is no item named 'OEBPS/book.opf'"),
        ({"a.xhtml": None}, "is damaged: There is no item named 'a.xhtml'"),
        ({"a.xhtml": b"\xff<p>"}, "is damaged"),
        ({"OEBPS/book.opf": "<package/>"}, "has no text"),
        ({"a.xhtml": "<p>" + "a" * 2_000_001}, "has 2,000,0"),
        ({"a.xhtml": " " * (epub.DOCUMENTS_BYTES_MAX + 1)}, "has more than 64 MiB of text"),
        (
            {epub.ENCRYPTION: '<encryption><enc:CipherReference URI="OEBPS/text/%E4%B8%8B.xhtml"/></encryption>'},
            "is encrypted by its publisher",
        ),
    ],
)
def test_books_that_are_refused(changed: dict[str, str | bytes | None], complaint: str) -> None:
    with pytest.raises(RefusedError) as refused:
        text.decode(book(**changed), "book.epub")
    assert str(refused.value).startswith(f"book.epub {complaint}"), str(refused.value)


def test_a_font_may_be_encrypted() -> None:
    font = '<encryption><enc:CipherReference URI="OEBPS/font.otf"/></encryption>'
    assert "很好" in text.decode(book(**{epub.ENCRYPTION: font}), "book.epub")


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_book_that_breaks_off_is_none(share: float) -> None:
    data = book()
    with pytest.raises(RefusedError, match="not plain text"):
        text.decode(data[: int(len(data) * share)], "book.epub")


def test_a_book_with_a_damaged_document() -> None:
    data = book()
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        at = archive.getinfo("a.xhtml").header_offset + 60
    with pytest.raises(RefusedError, match="is damaged"):
        text.decode(data[:at] + bytes(20) + data[at + 20 :], "book.epub")


def test_another_archive_is_no_book() -> None:
    with pytest.raises(RefusedError, match="not plain text"):
        text.decode(book(**{epub.CONTAINER: None}), "book.docx")
