"""Where audio and captions are saved."""

from __future__ import annotations

from pathlib import Path

import pytest

from tts_operator.cli.jobs import download
from tts_operator.cli.refused import RefusedError


@pytest.mark.parametrize("audio, captions", [("a/b.mp3", "a/b.srt"), ("b", "b.srt"), ("b.srt", "b.srt.srt")])
def test_captions_are_beside_the_audio(audio: str, captions: str) -> None:
    assert download.beside(Path(audio), "srt") == Path(captions)


def test_where_nothing_can_be_saved_is_told_before_the_job(tmp_path: Path) -> None:
    download.check(tmp_path / "book.mp3")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(RefusedError, match="is a directory"):
        download.check(tmp_path)
    with pytest.raises(RefusedError, match="No such file"):
        download.check(tmp_path / "none" / "book.mp3")
