"""`kubectl tts say`: has a text spoken, and saves or plays the audio."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import click

from tts_operator.cli.kubectl import Kubectl
from tts_operator.cli.refused import RefusedError, UnreachableError
from tts_operator.cli.server.api import ATTEMPTS, Api, UnavailableError
from tts_operator.cli.server.connect import key_of, server_of
from tts_operator.cli.speech.request import STANDARD_INPUT, hint, text_of
from tts_operator.cli.view import SHOWN_MAX
from tts_operator.cli.wording import Typed, size
from tts_operator.printable import one_line

PATH = "/v1/audio/speech"
FORMATS = {".mp3": "mp3", ".opus": "opus", ".ogg": "opus", ".aac": "aac", ".flac": "flac", ".wav": "wav", ".pcm": "pcm"}
"""The formats that the name of a file tells."""
PLAYED = "wav"
"""Every player takes it."""
BYTES_MAX = 1 << 30
READ_BYTES = 64 * 1024
PLAYERS: Sequence[Sequence[str]] = (
    ("afplay",),
    ("paplay",),
    ("pw-play",),
    ("aplay", "-q"),
    ("ffplay", "-nodisp", "-autoexit", "-loglevel", "error"),
    ("mpv", "--really-quiet"),
    ("play", "-q"),
)


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What to say, and where the audio goes."""

    body: bytes
    output: Path | None
    play: bool
    player: Sequence[str] = ()


def wanted(
    word: str, output: Path | None, audio_format: str | None, fields: Mapping[str, object], *, play: bool
) -> Wanted:
    """Check the command line. Raises UsageError and RefusedError."""
    player: Sequence[str] = ()
    if play:
        player = next((each for each in PLAYERS if shutil.which(each[0])), ())
        if not player:
            names = ", ".join(each[0] for each in PLAYERS)
            raise RefusedError(
                f"there is no player on the PATH. Install one of {names}, or save the audio with -o FILE"
            )
    elif output is None:
        raise click.UsageError("say where the audio goes: -o FILE, or --play")
    is_stdout = output is not None and str(output) == STANDARD_INPUT
    if is_stdout and sys.stdout.isatty():
        raise click.UsageError("audio is not for a terminal: write -o FILE, or pipe the output")
    if output is not None and not is_stdout and output.is_dir():
        raise RefusedError(f"{str(output)!r} is a directory; name a file in it")
    chosen = audio_format or _format_of(output, play=play, is_stdout=is_stdout)
    body = {"input": text_of(word), "response_format": chosen}
    given = {name: value for name, value in fields.items() if value is not None}
    return Wanted(body=json.dumps({**body, **given}).encode(), output=output, play=play, player=player)


def run(kubectl: Kubectl, name: str, asked: Wanted, key_name: str | None) -> int:
    """Have it spoken. Returns the exit code."""
    typed = Typed(name=name, flags=kubectl.flags)
    service = kubectl.service(name)
    key = key_of(kubectl, service, key_name)
    with server_of(kubectl, service, key, lambda error: hint(error, typed)) as api:
        if asked.output is not None and str(asked.output) == STANDARD_INPUT:
            _fetch(api, asked.body, sys.stdout.buffer)
        elif asked.output is not None:
            _save(api, asked, asked.output)
        else:
            _play_only(api, asked)
    return 0


def _save(api: Api, asked: Wanted, output: Path) -> None:
    part = output.with_name(f"{output.name}.{os.getpid()}.part")
    began = time.monotonic()
    try:
        with part.open("xb") as file:
            length = _fetch(api, asked.body, file)
        part.replace(output)
    except OSError as error:
        raise RefusedError(f"cannot write {str(output)!r}: {error.strerror}") from None
    finally:
        part.unlink(missing_ok=True)
    print(f"Saved {one_line(output, SHOWN_MAX)}: {size(length)} in {time.monotonic() - began:.1f} s.", flush=True)
    if asked.play:
        _play(asked.player, output)


def _play_only(api: Api, asked: Wanted) -> None:
    with tempfile.TemporaryDirectory(prefix="kubectl-tts-") as folder:
        file = Path(folder) / f"speech.{PLAYED}"
        with file.open("wb") as stream:
            _fetch(api, asked.body, stream)
        _play(asked.player, file)


def _fetch(api: Api, body: bytes, file: IO[bytes]) -> int:
    """Write the audio into a file and return its length. Raises RefusedError and UnreachableError."""
    for attempts_left in reversed(range(ATTEMPTS)):
        try:
            with api.response("POST", PATH, body, {"Content-Type": "application/json"}) as response:
                return _copy(response, file)
        except UnavailableError as error:
            if not attempts_left or (file.seekable() and file.tell()):
                raise
            time.sleep(error.pause)
    raise AssertionError(ATTEMPTS)


def _copy(response: http.client.HTTPResponse, file: IO[bytes]) -> int:
    length = 0
    while data := response.read(READ_BYTES):
        length += len(data)
        if length > BYTES_MAX:
            raise UnreachableError(f"the server sends more than {size(BYTES_MAX)}, which is no speech")
        _write(file, data)
    if response.length:  # the connection broke off
        raise UnreachableError("the connection to the server broke in the middle of the audio; try again")
    return length


def _write(file: IO[bytes], data: bytes) -> None:
    """Write at once: an error of the file must not be taken for one of the connection."""
    try:
        file.write(data)
        file.flush()
    except BrokenPipeError:
        raise click.exceptions.Exit(0) from None  # what reads the output has had enough
    except OSError as error:
        raise RefusedError(f"cannot save the audio: {error.strerror}") from None


def _play(player: Sequence[str], file: Path) -> None:
    done = subprocess.run([*player, str(file)], check=False, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    if done.returncode:
        raise RefusedError(f"{player[0]} cannot play it (exit code {done.returncode}); save the audio with -o FILE")


def _format_of(output: Path | None, *, play: bool, is_stdout: bool) -> str:
    if output is None or is_stdout:
        return PLAYED if play else "mp3"
    found = FORMATS.get(output.suffix.lower())
    if found is None:
        names = ", ".join(FORMATS)
        raise click.UsageError(
            f"-o {output}: the name of a file must end with {names}, unless --format names the format"
        )
    return found
