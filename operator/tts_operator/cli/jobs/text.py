"""The text of a job, and the request that submits it."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePath
from urllib.parse import urlencode

from tts_operator.cli.jobs import epub
from tts_operator.cli.refused import RefusedError

PATH = "/v1/audio/jobs"
CHARACTERS_MAX = 2_000_000
"""The server's limit."""
BYTES_MAX = 4 * CHARACTERS_MAX + 3
"""In UTF-8, with a byte order mark."""
STANDARD_INPUT = "-"
ZIP = b"PK\x03\x04"
BINARY = (ZIP, b"%PDF", b"\xd0\xcf\x11\xe0", b"{\\rtf")
"""How .docx, .pdf, .doc, and .rtf begin."""
MARKDOWN = (".md", ".markdown")


@dataclass(frozen=True, kw_only=True)
class Submission:
    """The body of a POST, and what goes with it."""

    path: str
    content_type: str
    body: bytes


def read(file: str) -> bytes:
    """Return the content of a file, or of the standard input. Raises RefusedError."""
    try:
        if file == STANDARD_INPUT:
            return sys.stdin.buffer.read(BYTES_MAX + 1)
        with open(file, "rb") as stream:  # noqa: PTH123 - a Path would drop a trailing slash, and then open the file
            data = stream.read(BYTES_MAX + 1)
            return data + stream.read(epub.BYTES_MAX + 1 - len(data)) if data.startswith(ZIP) else data
    except OSError as error:
        raise RefusedError(f"cannot read {file!r}: {error.strerror}") from None
    except ValueError:  # the name contains NUL
        raise RefusedError(f"{file!r} is not the name of a file") from None


def decode(data: bytes, file: str) -> str:
    """Return the text, also that of an EPUB book, if a job can read it. Raises RefusedError with what to do instead."""
    text = _book(data, file) if data.startswith(ZIP) else _plain(data, file)
    if len(text) > CHARACTERS_MAX:
        raise RefusedError(_too_long(file, f"{len(text):,}"))
    if not text.strip():
        raise RefusedError(f"{file} has no text")
    return text


def _book(data: bytes, file: str) -> str:
    if len(data) > epub.BYTES_MAX:
        raise RefusedError(f"{file} has more than {epub.BYTES_MAX >> 20} MiB")
    if not epub.is_book(data):
        return _plain(data, file)
    try:
        return epub.text_of(data)
    except epub.EpubError as error:
        raise RefusedError(f"{file} {error}") from None


def _plain(data: bytes, file: str) -> str:
    if data.startswith(BINARY):
        raise RefusedError(
            f"{file} is not plain text. Convert it first: `pandoc {shlex.quote(file)} -t plain -o book.txt`"
        )
    if len(data) > BYTES_MAX:
        raise RefusedError(_too_long(file, f"more than {CHARACTERS_MAX:,}"))
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise RefusedError(
            f"{file} is not UTF-8 (byte {error.start}). Convert it first. If it is Chinese, it may be GBK: "
            f"`iconv -f GB18030 -t UTF-8 {shlex.quote(file)} > book.txt`"
        ) from None


def submission(text: str, file: str, options: Mapping[str, str], metadata: Iterable[tuple[str, str]]) -> Submission:
    """Return the request. The text is sent as it is, which the server stores while it arrives, unless JSON is needed.

    Raises RefusedError.
    """
    if pairs := dict(metadata):
        numbers = {"speed": float(options["speed"])} if "speed" in options else {}
        body = {**options, **numbers, "metadata": pairs, "input": text}
        return Submission(path=PATH, content_type="application/json", body=json.dumps(body).encode())
    kind = "markdown" if PurePath(file).suffix.lower() in MARKDOWN else "plain"
    try:
        path = f"{PATH}?{urlencode(options)}" if options else PATH
    except UnicodeEncodeError:
        raise RefusedError("an argument is not UTF-8; check the locale of the terminal") from None
    return Submission(path=path, content_type=f"text/{kind}; charset=utf-8", body=text.encode())


def _too_long(file: str, size: str) -> str:
    return f"{file} has {size} characters, and a job at most {CHARACTERS_MAX:,}. Split the text into several jobs"
