"""What the options of `kubectl tts job` accept."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from tts_operator.cli.options import DURATION, SERVICE_NAME

Function = TypeVar("Function", bound=Callable[..., Any])

JOB_ID = re.compile(r"job_[0-9a-f]{28}")
JSON, YAML = "json", "yaml"
FORMATS = {".mp3": "mp3", ".m4b": "m4b", ".opus": "opus", ".aac": "aac", ".flac": "flac", ".wav": "wav", ".pcm": "pcm"}
"""The formats that the name of a file tells."""
KEY_CHARACTERS_MAX = 255
LIST_MAX = 10_000
FACTOR = re.compile(r"\d{1,3}(\.\d{1,6})?", re.ASCII)


class JobId(click.ParamType[str]):
    """The id of a job."""

    name = "id"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return it."""
        if not JOB_ID.fullmatch(value):
            self.fail(f"{value!r} is not the id of a job; run `kubectl tts job list` to list them", param, ctx)
        return value


class Factor(click.ParamType[str]):
    """A positive factor, as text."""

    name = "factor"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return it."""
        if not FACTOR.fullmatch(value):
            self.fail(f"{value!r} is not a factor; write 0.8 or 1.25", param, ctx)
        return value


class Limit(click.ParamType[int]):
    """How many jobs to list."""

    name = "n"

    def convert(self, value: str | int, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return a number."""
        word = str(value)
        if not re.fullmatch(r"\d{1,5}", word, re.ASCII) or not 1 <= int(word) <= LIST_MAX:
            self.fail(f"{value!r} is not a whole number from 1 to {LIST_MAX}", param, ctx)
        return int(word)


class Pair(click.ParamType[tuple[str, str]]):
    """NAME=VALUE."""

    name = "pair"

    def convert(
        self, value: str | tuple[str, str], param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str]:
        """Return name and value."""
        if isinstance(value, tuple):
            return value
        name, equals, rest = value.partition("=")
        if not (name and equals):
            self.fail(f"{value!r} has no name and value; write isbn=9787020002207", param, ctx)
        return name, rest


class IdempotencyKey(click.ParamType[str]):
    """A value of the header Idempotency-Key."""

    name = "key"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return it."""
        if not (0 < len(value) <= KEY_CHARACTERS_MAX and value.isascii() and value.isprintable()):
            self.fail(f"must have 1 to {KEY_CHARACTERS_MAX} printable ASCII characters", param, ctx)
        return value


def connection_options(function: Function) -> Function:
    """Add the options that choose the service and the API key."""
    service = click.option(
        "--service", type=SERVICE_NAME, metavar="NAME", help="Default: the only TTSService of the namespace."
    )
    key = click.option("--key-name", metavar="NAME", help="The API key of this name in the service's Secret.")
    return service(key(function))


def id_argument(function: Function) -> Function:
    """Add the argument ID."""
    return click.argument("job_id", metavar="ID", type=JobId())(function)


def follow_options(function: Function) -> Function:
    """Add `--watch` and `--timeout`."""
    limit = click.option(
        "--timeout",
        type=DURATION,
        metavar="TIME",
        help="Wait no longer than this, such as 90s or 12h. Default: forever.",
    )
    watch = click.option("-w", "--watch", is_flag=True, help="Show the progress until the job has ended.")
    return watch(limit(function))


def submit_options(function: Function) -> Function:
    """Add the options that are fields of a job."""
    for option in reversed((
        click.option("--voice", metavar="NAME", help="Default: the voice of the service."),
        click.option("--emotion", metavar="NAME", help="Default: neutral."),
        click.option("--speed", type=Factor(), metavar="FACTOR", help="Default: 1."),
        click.option(
            "--format", "response_format", metavar="NAME",
            help="Such as mp3, m4b, opus, flac. Default: as -o, or else mp3.",
        ),
        click.option("--title", metavar="TEXT", help="The title of the work, for the tags of the file."),
        click.option("--chapters", type=click.Choice(["none", "heading"]), help="Make a chapter of each heading."),
        click.option("--chapter-marker", metavar="TEXT", help="What the line of each chapter begins with."),
        click.option("--subtitles", type=click.Choice(["srt", "vtt"]), help="Also make captions."),
        click.option(
            "--metadata", type=Pair(), multiple=True, metavar="NAME=VALUE",
            help="A string of your own, which the job shows again. May be repeated.",
        ),
        click.option(
            "--idempotency-key", type=IdempotencyKey(), metavar="KEY",
            help="A name of your own: with it, the same text makes no second job. Default: a random one.",
        ),
    )):  # fmt: skip
        function = option(function)
    return function


def format_of(output: Path) -> str:
    """Return the format that the name of a file tells. Raises UsageError."""
    found = FORMATS.get(output.suffix.lower())
    if found is None:
        raise click.UsageError(
            f"-o {output}: the name of a file must end with {', '.join(FORMATS)}, unless --format names the "
            "format; -o json prints JSON"
        )
    return found


def check_timeout(timeout: float | None, *, waits: bool) -> None:
    """Raise UsageError if there is a time limit for a command that does not wait."""
    if timeout is not None and not waits:
        raise click.UsageError("--timeout requires --watch")
