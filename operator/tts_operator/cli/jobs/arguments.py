"""The command line of `kubectl tts job`."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from pathlib import Path

JOB_ID = re.compile(r"job_[0-9a-f]{28}")
JSON = "json"
FORMATS = {".mp3": "mp3", ".m4b": "m4b", ".opus": "opus", ".aac": "aac", ".flac": "flac", ".wav": "wav", ".pcm": "pcm"}
"""The formats that the name of a file tells."""
KEY_CHARACTERS_MAX = 255
LIST_MAX = 10_000
FACTOR = re.compile(r"\d{1,3}(\.\d{1,6})?")
Add = Callable[..., argparse.ArgumentParser]
"""Adds a command with its name, its text, and the flags that all commands have."""


def add(command: Add, seconds: Callable[[str], float]) -> None:
    """Add the commands. `seconds` parses a time."""
    _submit(command("submit", "have a long text read, such as a book"), seconds)
    listing = command("list", "list your jobs, the newest first")
    listing.add_argument("--limit", type=_limit, default=20, metavar="N", help="how many (default: 20)")
    _json(listing)
    status = command("status", "show the progress of a job")
    _id(status)
    _watch(status, seconds)
    _json(status)
    _id(command("cancel", "cancel a job that has not ended"))
    download = command("download", "save the audio of a job, and its captions")
    _id(download)
    download.add_argument("-o", "--output", type=Path, required=True, metavar="FILE", help="where to save the audio")
    _watch(download, seconds)


def check(arguments: argparse.Namespace, error: Callable[[str], object]) -> None:
    """Call `error` if flags do not go together. Derive the format from the name of the output."""
    saves = arguments.job_command == "submit" and arguments.output is not None and str(arguments.output) != JSON
    if getattr(arguments, "timeout", None) is not None and not (arguments.watch or saves):
        error("--timeout requires --watch")
    if not saves or arguments.format is not None:
        return
    arguments.format = FORMATS.get(arguments.output.suffix.lower())
    if arguments.format is None:
        error(
            f"-o {arguments.output}: the name of a file must end with {', '.join(FORMATS)}, unless --format names the "
            "format; -o json prints JSON"
        )


def _submit(parser: argparse.ArgumentParser, seconds: Callable[[str], float]) -> None:
    parser.add_argument("file", metavar="FILE", help="plain text or Markdown in UTF-8; - reads the standard input")
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="FILE|json",
        help="wait for the job and save its audio, and its captions beside it; json: print JSON, for programs",
    )
    _watch(parser, seconds)
    parser.add_argument("--voice", metavar="NAME", help="default: the voice of the service")
    parser.add_argument("--emotion", metavar="NAME", help="default: neutral")
    parser.add_argument("--speed", type=_factor, metavar="FACTOR", help="default: 1")
    parser.add_argument("--format", metavar="NAME", help="such as mp3, m4b, opus, flac (default: as -o, or else mp3)")
    parser.add_argument("--title", metavar="TEXT", help="the title of the work, for the tags of the file")
    chapters = parser.add_mutually_exclusive_group()
    chapters.add_argument("--chapters", choices=("none", "heading"), help="make a chapter of each heading")
    chapters.add_argument("--chapter-marker", metavar="TEXT", help="what the line of each chapter begins with")
    parser.add_argument("--subtitles", choices=("srt", "vtt"), help="also make captions")
    parser.add_argument(
        "--metadata",
        type=_pair,
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a string of your own, which the job shows again; may be repeated",
    )
    parser.add_argument(
        "--idempotency-key",
        type=_idempotency_key,
        metavar="KEY",
        help="a name of your own: submitted again with it, the same text makes no second job (default: a random one)",
    )


def _watch(parser: argparse.ArgumentParser, seconds: Callable[[str], float]) -> None:
    parser.add_argument("-w", "--watch", action="store_true", help="show the progress until the job has ended")
    parser.add_argument(
        "--timeout",
        type=seconds,
        metavar="TIME",
        help="wait no longer than this, such as 90s or 12h (default: forever)",
    )


def _json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-o", "--output", choices=(JSON,), help="print JSON, for programs")


def _id(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", metavar="ID", type=_job_id, help="the job, such as job_01a227bab741af92266e9e369260")


def _job_id(word: str) -> str:
    if not JOB_ID.fullmatch(word):
        raise argparse.ArgumentTypeError(f"{word!r} is not the id of a job; run `kubectl tts job list` to list them")
    return word


def _limit(word: str) -> int:
    if not (word.isascii() and word.isdecimal() and len(word) <= len(str(LIST_MAX)) and 1 <= int(word) <= LIST_MAX):
        raise argparse.ArgumentTypeError(f"{word!r} is not a whole number from 1 to {LIST_MAX}")
    return int(word)


def _factor(word: str) -> str:
    if not FACTOR.fullmatch(word):
        raise argparse.ArgumentTypeError(f"{word!r} is not a factor; write 0.8 or 1.25")
    return word


def _pair(word: str) -> tuple[str, str]:
    name, equals, value = word.partition("=")
    if not (name and equals):
        raise argparse.ArgumentTypeError(f"{word!r} has no name and value; write isbn=9787020002207")
    return name, value


def _idempotency_key(word: str) -> str:
    if not (0 < len(word) <= KEY_CHARACTERS_MAX and word.isascii() and word.isprintable()):
        raise argparse.ArgumentTypeError(f"must have 1 to {KEY_CHARACTERS_MAX} printable ASCII characters")
    return word
