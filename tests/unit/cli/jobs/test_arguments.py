"""The command line of `kubectl tts job`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.cli.jobs.documents import ID
from tests.unit.cli.recorded import failing, ran, recorded
from tts_operator.cli.jobs.options import format_of


@pytest.mark.parametrize(
    "output, chosen", [("book.mp3", "mp3"), ("book.MP3", "mp3"), ("a/book.flac", "flac"), ("book.m4b", "m4b")]
)
def test_the_name_of_the_output_tells_the_format(output: str, chosen: str) -> None:
    assert format_of(Path(output)) == chosen


@pytest.mark.parametrize("words", [f"-n a job status {ID}", f"job status {ID} -n a", f"job -n a status {ID}"])
def test_global_flags_may_stand_anywhere(
    words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    kubectl = recorded(monkeypatch, {"get": failing("Error from server (Forbidden): no")})
    assert ran(capsys, words).code == 4
    assert kubectl.runs == ["get ttsservices.tts-operator.io --output=name --namespace=a"]


@pytest.mark.parametrize(
    "words, complaint",
    [
        ("", "COMMAND"),
        ("submit", "FILE"),
        ("submit a.txt -o a.pdf", "must end with .mp3"),
        ("submit a.txt -o a", "unless --format names the format"),
        ("submit a.txt --timeout 5m", "--timeout requires --watch"),
        ("submit a.txt --speed fast", "write 0.8 or 1.25"),
        ("submit a.txt --metadata isbn", "write isbn="),
        ("submit a.txt --metadata =1", "write isbn="),
        ("submit a.txt --idempotency-key 书", "printable ASCII"),
        ("submit a.txt --chapters heading --chapter-marker @", "not allowed with"),
        ("submit a.txt --service A", "not a valid TTSService name"),
        ("status narrator", "run `kubectl tts job list`"),
        (f"status {ID} --timeout 5m", "--timeout requires --watch"),
        ("list --limit 0", "from 1 to 10000"),
        ("list --limit ٣", "from 1 to 10000"),
        (f"download {ID}", "'-o' / '--output'"),
    ],
)
def test_what_cannot_be_understood_is_told(words: str, complaint: str, capsys: pytest.CaptureFixture[str]) -> None:
    result = ran(capsys, f"job {words}")
    assert (result.code, result.out) == (2, "")
    assert complaint in result.err
