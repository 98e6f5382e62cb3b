"""Saves the files of a job. A broken connection continues where it was."""

from __future__ import annotations

import http.client
import io
import os
import time
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from pathlib import Path

from tts_operator.cli.refused import RefusedError, UnreachableError
from tts_operator.cli.server.api import PAUSE, Api, UnavailableError

READ_BYTES = 256 * 1024
FAILURES_MAX = 10
"""Consecutive attempts that may end without a single byte."""
SUBTITLES_BYTES_MAX = 64 << 20


def check(path: Path) -> None:
    """Raise RefusedError if no file can be saved there. Asked before a job that takes hours is submitted."""
    try:
        if path.is_dir():
            raise RefusedError(f"{str(path)!r} is a directory; name a file in it")
        part = _part(path)
        part.open("xb").close()
        part.unlink()
    except OSError as error:
        raise RefusedError(f"cannot write {str(path)!r}: {error.strerror}") from None


def beside(audio: Path, subtitles: str) -> Path:
    """Return where the captions go that belong to this audio. `subtitles` is `srt` or `vtt`."""
    captions = audio.with_suffix(f".{subtitles}")
    return captions if captions != audio else audio.with_name(f"{audio.name}.{subtitles}")


def save(api: Api, url: str, path: Path, most: int, show: Callable[[int, int], None]) -> None:
    """Save a file of at most so many bytes. `path` has it when it is complete, and is untouched before.

    Raises RefusedError and UnreachableError.
    """
    part = _part(path)
    try:
        with io.FileIO(part, "xb") as file:
            _fetch(api, url, file, most, show)
        part.replace(path)
    except OSError as error:
        raise RefusedError(f"cannot write {str(path)!r}: {error.strerror}") from None
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def _fetch(api: Api, url: str, file: io.FileIO, most: int, show: Callable[[int, int], None]) -> None:
    failures, tag = 0, ""
    while True:
        before = file.tell()
        headers = {"Range": f"bytes={before}-", "If-Range": tag} if tag and before else {}
        try:
            with api.response("GET", url, None, headers) as response:
                tag = response.headers.get("ETag", "")
                if response.status != HTTPStatus.PARTIAL_CONTENT:  # another file, or the beginning
                    file.seek(0)
                    file.truncate()
                _copy(response, file, most, show)
        except UnavailableError as error:
            failures = 0 if file.tell() > before else failures + 1
            if failures >= FAILURES_MAX:
                raise
            time.sleep(max(PAUSE, error.pause))
        else:
            return


def _copy(response: http.client.HTTPResponse, file: io.FileIO, most: int, show: Callable[[int, int], None]) -> None:
    """Copy the rest of the file. Raises UnreachableError if there is more than there may be."""
    rest = response.length
    if rest is None:  # the headers broke off
        raise http.client.IncompleteRead(b"")
    whole = file.tell() + rest
    if whole > most:
        raise UnreachableError(f"the server sends a file of another size than the {most:,} bytes that it may have")
    while file.tell() < whole:
        data = response.read1(READ_BYTES)
        if not data:
            raise http.client.IncompleteRead(b"", whole - file.tell())
        try:
            file.write(data)
        except OSError as error:  # not one of the connection's, so not to be tried again
            raise RefusedError(f"cannot save the file: {error.strerror}") from None
        show(file.tell(), whole)


def _part(path: Path) -> Path:
    """Return a name that nobody else uses."""
    return path.with_name(f"{path.name}.{os.getpid()}.part")
