"""The text of an EPUB book: its documents in the order in which they are read (EPUB 3.3, sections 4 and 5).

The same text as on the server's page. HTMLParser reads all of it: it expands no entities of a file's own, and fetches
nothing.
"""

from __future__ import annotations

import io
import posixpath
import re
import zipfile
import zlib
from collections.abc import Iterable
from html.parser import HTMLParser
from urllib.parse import unquote, urlsplit

CONTAINER = "META-INF/container.xml"
ENCRYPTION = "META-INF/encryption.xml"
DOCUMENT = "application/xhtml+xml"
BYTES_MAX = 256 << 20
"""A book may have pictures."""
DOCUMENTS_BYTES_MAX = 64 << 20
"""All documents together, unpacked."""
BLOCKS = frozenset(
    {
        *("address", "article", "aside", "blockquote", "body", "br", "caption", "dd", "div", "dl", "dt", "figcaption"),
        *("figure", "footer", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "li", "main", "ol", "p", "pre"),
        *("section", "table", "td", "th", "tr", "ul"),
    }
)
UNREAD = frozenset({"head", "math", "rp", "rt", "script", "style", "svg"})
"""The readings beside characters, and what is not text."""
HEADING = re.compile("h([1-6])")
HEADING_CHARACTERS_MAX = 50
Attributes = dict[str, str]


class EpubError(Exception):
    """Why a book cannot be read, as the end of a sentence."""


def is_book(data: bytes) -> bool:
    """Return whether these bytes are an EPUB book."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return CONTAINER in archive.namelist()
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError):
        return False


def text_of(data: bytes) -> str:
    """Return the text of a book, with headings as those of Markdown. Raises EpubError."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return _Book(archive).text()
    except KeyError as error:
        raise EpubError(f"is damaged: {error.args[0]}") from None
    except (zipfile.BadZipFile, zlib.error, ValueError, OSError, EOFError, NotImplementedError, RuntimeError) as error:
        raise EpubError(f"is damaged: {error}") from None


class _Book:
    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self._left = DOCUMENTS_BYTES_MAX

    def text(self) -> str:
        root = next((each["full-path"] for each in self._elements(CONTAINER, "rootfile") if each.get("full-path")), "")
        if not root:
            raise EpubError("is damaged: it names no text")
        names = [_resolved(href, root) for href in _documents(self._elements(root, "item", "itemref"))]
        self._refuse_encrypted(names)
        texts = (_text(self._read(name)) for name in names)
        return "\n\n".join(text for text in texts if text)

    def _refuse_encrypted(self, names: Iterable[str]) -> None:
        if ENCRYPTION not in self._archive.namelist():
            return
        encrypted = {unquote(each.get("uri", "")) for each in self._elements(ENCRYPTION, "cipherreference")}
        # Fonts may be encrypted, which matters to nobody here.
        if not encrypted.isdisjoint(names):
            raise EpubError("is encrypted by its publisher, so nothing else can read it")

    def _elements(self, name: str, *wanted: str) -> list[Attributes]:
        parser = _Elements(wanted)
        parser.feed(self._read(name))
        parser.close()
        return parser.found

    def _read(self, name: str) -> str:
        with self._archive.open(name) as stream:
            data = stream.read(self._left + 1)
        self._left -= len(data)
        if self._left < 0:
            raise EpubError(f"has more than {DOCUMENTS_BYTES_MAX >> 20} MiB of text")
        is_wide = data.startswith((b"\xff\xfe", b"\xfe\xff"))
        return data.decode("utf-16" if is_wide else "utf-8-sig")


class _Parser(HTMLParser):
    """Names are in lower case, without a prefix."""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.opened(tag.rpartition(":")[2], {name: value or "" for name, value in attrs})

    def handle_endtag(self, tag: str) -> None:
        self.closed(tag.rpartition(":")[2])

    def opened(self, name: str, attributes: Attributes) -> None:
        """Handle the beginning of an element."""

    def closed(self, name: str) -> None:
        """Handle the end of an element."""


class _Elements(_Parser):
    """The attributes of all elements with these names, and the name of each as `element`."""

    def __init__(self, wanted: Iterable[str]) -> None:
        super().__init__()
        self._wanted = frozenset(wanted)
        self.found: list[Attributes] = []

    def opened(self, name: str, attributes: Attributes) -> None:
        """See _Parser."""
        if name in self._wanted:
            self.found.append({**attributes, "element": name})


class _Lines(_Parser):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self._line: list[str] = []
        self._level = 0
        self._unread = ""
        self._depth = 0

    def handle_data(self, data: str) -> None:
        """Add text to the line."""
        if not self._unread:
            self._line.append(data)

    def opened(self, name: str, attributes: Attributes) -> None:
        """See _Parser."""
        if self._unread:
            self._depth += name == self._unread
        elif name in UNREAD or "noteref" in attributes.get("epub:type", ""):
            self._unread, self._depth = name, 1
        elif self._level and name == "br":
            self._line.append(" ")
        elif name in BLOCKS:
            self.end()
            if heading := HEADING.fullmatch(name):
                self._level = int(heading[1])

    def closed(self, name: str) -> None:
        """See _Parser."""
        if self._unread:
            self._depth -= name == self._unread
            if not self._depth:
                self._unread = ""
        elif name in BLOCKS and not (self._level and name == "br"):
            self.end()
            if HEADING.fullmatch(name):
                self._level = 0

    def end(self) -> None:
        """End the line."""
        said = " ".join("".join(self._line).split())
        mark = "#" * self._level + " " if self._level and len(said) <= HEADING_CHARACTERS_MAX else ""
        if said:
            self.lines.append(mark + said)
        self._line = []


def _text(source: str) -> str:
    parser = _Lines()
    parser.feed(source)
    parser.close()
    parser.end()
    return "\n".join(parser.lines)


def _documents(elements: Iterable[Attributes]) -> list[str]:
    """Return where the documents are, in their order: without the table of contents, and what is beside the text."""
    found = list(elements)
    items = {each["id"]: each for each in found if each["element"] == "item" and "id" in each}
    order = (each for each in found if each["element"] == "itemref" and each.get("linear") != "no")
    read = (items.get(each.get("idref", ""), {}) for each in order)
    return [
        each["href"]
        for each in read
        if each.get("href") and each.get("media-type") == DOCUMENT and "nav" not in each.get("properties", "").split()
    ]


def _resolved(href: str, base: str) -> str:
    return posixpath.normpath(posixpath.join(posixpath.dirname(base), unquote(urlsplit(href).path)))
