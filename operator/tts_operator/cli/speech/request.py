"""The text of a request, and what an error of the server's means."""

from __future__ import annotations

import sys

import click

from tts_operator.cli.refused import RefusedError
from tts_operator.cli.server.api import Refusal
from tts_operator.cli.wording import Typed

STANDARD_INPUT = "-"
CHARACTERS_MAX = 100_000
"""More than a server takes at once. It says what its own limit is."""
LONG = "input_too_long"


def text_of(word: str) -> str:
    """Return the text to speak. Raises RefusedError and UsageError."""
    text = word
    if word == STANDARD_INPUT:
        try:
            text = sys.stdin.buffer.read(4 * CHARACTERS_MAX + 1).decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise RefusedError(f"the standard input is not UTF-8 (byte {error.start})") from None
    if not text.strip():
        raise click.UsageError("the text is empty")
    if len(text) > CHARACTERS_MAX:
        raise RefusedError(f"the text is longer than {CHARACTERS_MAX:,} characters; {LONGER}")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise RefusedError("the text is not UTF-8; check the locale of the terminal") from None
    return text


LONGER = "`kubectl tts job submit FILE -o book.mp3` has long texts read"


def hint(error: Refusal, typed: Typed) -> str:
    """Return what to do about an error."""
    if error.code == LONG:
        return f" Instead, {LONGER}"
    if error.code in {"unknown_voice", "unknown_emotion"}:
        return f" {typed.then('voices')} lists them"
    if not error.code and "services/proxy" in error.message:
        return f". You need the right to `create` services/proxy in {typed.name}'s namespace"
    return ""
