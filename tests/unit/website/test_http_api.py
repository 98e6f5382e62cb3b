"""The reference of the HTTP API, generated from the server's OpenAPI document."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from devcluster.product import ROOT
from tts_server.api.schema.openapi import document
from website import http_api


def test_the_pages_in_the_repository_are_what_is_generated(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("sys.argv", ["http_api", str(tmp_path)])
    http_api.main()
    for name in ("http-api.md", "http-api.zh.md"):
        assert (tmp_path / name).read_text() == (ROOT / "docs" / name).read_text(), "run `make generate`"


def test_every_translation_is_used() -> None:
    said = set()

    def say(text: str) -> str:
        said.add(text)
        return text

    http_api.page(document(max_input_characters=http_api.LONGEST, has_jobs=True), say)
    assert set(yaml.safe_load(http_api.CHINESE.read_text())) - said == set()


def test_a_text_without_translation_says_where_to_add_it() -> None:
    with pytest.raises(KeyError, match=r"website/http_api\.zh\.yaml"):
        http_api.chinese("A new text.")
