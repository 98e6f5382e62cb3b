"""The command that writes TTSServices."""

from __future__ import annotations

from pathlib import Path

import click

from tts_operator.cli.options import CONTEXT_SETTINGS, SERVICE_NAME


@click.command(context_settings=CONTEXT_SETTINGS)
@click.argument("name", metavar="[NAME]", type=SERVICE_NAME, required=False)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write a file, which must not exist. Default: the standard output.",
)
@click.option("-y", "--yes", is_flag=True, help="Ask nothing: take the default answers.")
def new(name: str | None, *, output: Path | None, yes: bool) -> int:
    """Ask a few questions, and write a commented TTSService.

    The questions go to the standard error, so that `kubectl tts new | kubectl apply -f -` works.
    """
    from tts_operator.cli.write import new as writing  # noqa: PLC0415 - the other commands start without it

    return writing.run(name, output, ask=not yes)
