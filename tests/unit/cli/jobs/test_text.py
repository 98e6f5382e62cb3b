"""Texts, and the requests that carry them."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from tts_operator.cli.jobs import text
from tts_operator.cli.refused import RefusedError


@pytest.mark.parametrize(
    "data, words",
    [
        ("山高水长".encode("gbk"), ["not UTF-8 (byte 2)", "`iconv -f GB18030 -t UTF-8 'my book.txt' > book.txt`"]),
        (b"PK\x03\x04...", ["not plain text", "`pandoc 'my book.txt' -t plain -o book.txt`"]),
        (b"%PDF-1.7", ["not plain text"]),
        (b"", ["has no text"]),
        ("\ufeff \n".encode(), ["has no text"]),
        (b"a" * 2_000_001, ["has 2,000,001 characters, and a job at most 2,000,000", "Split"]),
        (b"a" * (text.BYTES_MAX + 1), ["has more than 2,000,000 characters"]),
    ],
)
def test_a_text_that_no_job_can_read_is_refused_before_it_is_sent(data: bytes, words: list[str]) -> None:
    with pytest.raises(RefusedError) as caught:
        text.decode(data, "my book.txt")
    assert [word for word in words if word not in str(caught.value)] == [], str(caught.value)


def test_a_long_text_in_utf8_with_a_byte_order_mark() -> None:
    assert text.decode("\ufeff山高水长".encode(), "a") == "山高水长"
    assert len(text.decode("山".encode() * 2_000_000, "a")) == 2_000_000


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    for name in (str(tmp_path), str(tmp_path / "none"), "nul\0"):
        with pytest.raises(RefusedError):
            text.read(name)


def test_the_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO("山".encode())))
    assert text.read("-") == "山".encode()


@pytest.mark.parametrize("file, kind", [("a.txt", "plain"), ("a.MD", "markdown"), ("-", "plain")])
def test_a_text_is_sent_as_it_is(file: str, kind: str) -> None:
    request = text.submission("山&水", file, {"title": "a&b 山", "speed": "1.5"}, [])
    assert request.path == "/v1/audio/jobs?title=a%26b+%E5%B1%B1&speed=1.5"
    assert request.content_type == f"text/{kind}; charset=utf-8"
    assert request.body == "山&水".encode()


def test_metadata_needs_json() -> None:
    request = text.submission("山", "a.txt", {"title": "b", "speed": "1.5"}, [("isbn", "1"), ("isbn", "2")])
    assert (request.path, request.content_type) == ("/v1/audio/jobs", "application/json")
    assert json.loads(request.body) == {"title": "b", "speed": 1.5, "metadata": {"isbn": "2"}, "input": "山"}


def test_an_argument_that_is_not_utf8() -> None:
    with pytest.raises(RefusedError, match="not UTF-8"):
        text.submission("山", "a.txt", {"title": "\udcff"}, [])
