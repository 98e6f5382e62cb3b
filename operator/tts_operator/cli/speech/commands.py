"""The commands that speak."""

from __future__ import annotations

from pathlib import Path

import click

from tts_operator.cli.kubectl import Kubectl
from tts_operator.cli.options import command, output_option, service_argument

KEY_NAME = click.option("--key-name", metavar="NAME", help="The API key of this name in the service's Secret.")
VOICE = click.option("--voice", metavar="NAME", help="A voice from `voices`. Default: that of the service.")
TEXT = click.argument("text", metavar="TEXT")


@command
@service_argument
@TEXT
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Where to save the audio; - writes it to the standard output. The end of the name chooses the format.",
)
@click.option("--play", is_flag=True, help="Play it, with a player of this machine.")
@VOICE
@click.option("--emotion", metavar="NAME", help="One of the voice's emotions. Default: neutral.")
@click.option("--speed", type=click.FloatRange(0.25, 4.0), metavar="FACTOR", help="From 0.25 to 4. Default: 1.")
@click.option("--format", "audio_format", metavar="NAME", help="Such as mp3, wav, opus. Default: as -o.")
@KEY_NAME
def say(
    kubectl: Kubectl,
    name: str,
    text: str,
    *,
    output: Path | None,
    play: bool,
    voice: str | None,
    emotion: str | None,
    speed: float | None,
    audio_format: str | None,
    key_name: str | None,
) -> int:
    """Have a service speak a text, and save or play the audio.

    TEXT may be SSML; - reads the standard input. The request goes through the API server, without a port-forward,
    unless the service wants an API key.
    """
    from tts_operator.cli.speech import say as speaking  # noqa: PLC0415 - the other commands start without it

    fields = {"voice": voice, "emotion": emotion, "speed": speed}
    wanted = speaking.wanted(text, output, audio_format, fields, play=play)
    return speaking.run(kubectl, name, wanted, key_name)


@command
@service_argument
@output_option()
def voices(kubectl: Kubectl, name: str, *, output: str | None) -> int:
    """List the voices of a service and their emotions."""
    from tts_operator.cli.speech import lists  # noqa: PLC0415 - the other commands start without it

    return lists.voices(kubectl, name, output)


@command
@service_argument
@TEXT
@VOICE
@output_option()
@KEY_NAME
def phonemes(
    kubectl: Kubectl, name: str, text: str, *, voice: str | None, output: str | None, key_name: str | None
) -> int:
    """Show how a service reads a text, and why.

    TEXT may be SSML; - reads the standard input.
    """
    from tts_operator.cli.speech import lists  # noqa: PLC0415 - the other commands start without it

    return lists.phonemes(kubectl, name, text, voice=voice, key_name=key_name, output=output)
