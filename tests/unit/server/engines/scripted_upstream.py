"""An upstream that answers each request with the bytes that a test gives it, cut off or held back where it likes."""

import contextlib
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tts_server.audio.pcm import Pcm
from tts_server.audio.wav import UNKNOWN_BYTES, wav_header
from tts_server.settings.upstream import UpstreamSettings, UpstreamVoice

RATE = 24_000
SYLLABLE_SECONDS = 0.2
CLOSE = None
"""Stands in an answer for the end of the connection."""
HANG = ...
"""Stands in an answer for silence until the end of the test."""
Answer = Iterable[Any]
_LIMITS = {"first_byte_seconds": 30.0, "idle_seconds": 30.0, "connect_seconds": 30.0, "ready_seconds": 30.0}
"""So patient that no machine is too slow for what comes."""
_IMPATIENT = {"first_byte_seconds": 1.0, "idle_seconds": 0.3, "ready_seconds": 0.3}
_POLL_SECONDS = 0.1


@dataclass(frozen=True)
class Asked:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def fields(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found


def sound(syllables: int, rate: int = RATE) -> Pcm:
    """Return a tone as long as speech of so many syllables."""
    time = np.arange(round(syllables * SYLLABLE_SECONDS * rate)) / rate
    tone: Pcm = np.rint(8000 * np.sin(2 * np.pi * 220 * time)).astype(np.int16)
    return tone


def wav(samples: Pcm, rate: int = RATE, *, known: bool = True) -> bytes:
    data = samples.astype("<i2").tobytes()
    return wav_header(len(data) if known else UNKNOWN_BYTES, rate) + data


def http(
    body: bytes, kind: str = "audio/wav", status: str = "200 OK", *, length: int | None = None, more: str = ""
) -> bytes:
    given = len(body) if length is None else length
    return f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {given}\r\n{more}\r\n".encode() + body


def chunks(body: bytes, kind: str = "audio/wav", *, size: int = 3_001, end: bool = True) -> Iterable[bytes]:
    yield f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    for start in range(0, len(body), size):
        part = body[start : start + size]
        yield f"{len(part):x}\r\n".encode() + part + b"\r\n"
    if end:
        yield b"0\r\n\r\n"


class ScriptedUpstream:
    """Listens on a port, or on one of its own. ``speak`` and ``ready`` return the pieces of an answer."""

    def __init__(self, port: int = 0, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        self.asked: list[Asked] = []
        self.speak: Callable[[Asked], Answer] = lambda asked: [http(wav(sound(len(asked.fields["input"]))))]
        self.ready: Callable[[Asked], Answer] = lambda _: [http(b"{}", "application/json")]
        self._stopped = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", port))
        self._threads = [threading.Thread(target=self._listen, daemon=True)]
        self._threads[0].start()

    @property
    def url(self) -> str:
        scheme, host = ("https", "localhost") if self._tls else ("http", "127.0.0.1")
        return f"{scheme}://{host}:{self._listener.getsockname()[1]}/v1"

    @property
    def spoken(self) -> list[Asked]:
        return [each for each in self.asked if each.method == "POST"]

    def stop(self) -> None:
        self._stopped.set()
        with contextlib.suppress(OSError):  # a test may have stopped it
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for each in self._threads:
            each.join(10)

    def _listen(self) -> None:
        while not self._stopped.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._talk, args=[connection], daemon=True)
            self._threads.append(thread)
            thread.start()

    def _talk(self, connection: socket.socket) -> None:
        if self._tls is not None:
            try:
                connection = self._tls.wrap_socket(connection, server_side=True)
            except OSError:  # the client does not trust it
                return
        with connection:
            rest = b""
            while not self._stopped.is_set():
                try:
                    asked, rest = self._read(connection, rest)
                    if asked is None:
                        return
                    self.asked.append(asked)
                    connection.settimeout(_LIMITS["idle_seconds"])
                    for piece in self.speak(asked) if asked.method == "POST" else self.ready(asked):
                        if piece is CLOSE:
                            return
                        if piece is HANG:
                            self._stopped.wait(30)
                            return
                        connection.sendall(piece)
                except OSError:
                    return

    def _read(self, connection: socket.socket, data: bytes) -> tuple[Asked | None, bytes]:
        connection.settimeout(_POLL_SECONDS)
        while b"\r\n\r\n" not in data or len(data) < _end(data):
            try:
                more = connection.recv(65_536)
            except TimeoutError:
                if self._stopped.is_set():
                    return None, b""
                continue
            if not more:
                return None, b""
            data += more
        head, _, _ = data.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        method, path, _ = first.split(" ")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        end = _end(data)
        return Asked(method, path, headers, data[len(head) + 4 : end]), data[end:]


def _end(data: bytes) -> int:
    """Return where the request ends whose head is there."""
    head, _, _ = data.partition(b"\r\n\r\n")
    lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    return len(head) + 4 + (int(lengths[0].partition(b":")[2]) if lengths else 0)


def settings_for(url: str, **more: Any) -> UpstreamSettings:
    """Return settings with long time limits, and one voice."""
    return UpstreamSettings(url=url, **{"voices": (UpstreamVoice("xiaoyan", "zf_1"),), **_LIMITS, **more})


@contextlib.contextmanager
def impatient(owner: Any) -> Iterator[None]:
    """Let an engine or one of its sessions, as long as this lasts, not wait for what never comes."""
    patient = owner._settings
    owner._settings = replace(patient, **_IMPATIENT)
    try:
        yield
    finally:
        owner._settings = patient
