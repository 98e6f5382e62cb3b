"""The command line of `kubectl tts job`."""

from __future__ import annotations

import pytest

from tests.unit.cli.jobs.documents import ID
from tts_operator.cli.arguments import parse


@pytest.mark.parametrize(
    "words, output, chosen",
    [
        ("book.txt", None, None),
        ("book.txt -o book.mp3", "book.mp3", "mp3"),
        ("book.txt -o book.MP3", "book.MP3", "mp3"),
        ("book.txt -o book.bin --format opus", "book.bin", "opus"),
        ("book.txt -o json", "json", None),
        ("- -o book.flac", "book.flac", "flac"),
        ("book.txt -o book.m4b", "book.m4b", "m4b"),
    ],
)
def test_the_name_of_the_output_tells_the_format(words: str, output: str | None, chosen: str | None) -> None:
    arguments = parse(["job", "submit", *words.split()])
    assert (arguments.output and str(arguments.output), arguments.format) == (output, chosen)


@pytest.mark.parametrize("words", [f"-n a job status {ID}", f"job status {ID} -n a", f"job status -n=a {ID}"])
def test_global_flags_may_stand_anywhere(words: str) -> None:
    assert parse(words.split()).namespace == "a"


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
        (f"download {ID}", "-o/--output"),
    ],
)
def test_what_cannot_be_understood_is_told(words: str, complaint: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        parse(["job", *words.split()])
    assert caught.value.code == 2
    assert complaint in capsys.readouterr().err
