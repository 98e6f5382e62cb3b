"""One task: speak a text while it is being written."""

import logging
import time
from collections import deque
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import gevent
from gevent.event import Event

from tts_server.audio.encoding import FORMATS
from tts_server.audio.pcm import BYTES_PER_SAMPLE
from tts_server.duplex.account import Account
from tts_server.duplex.messages import Parameters, TaskError, event, task_failed
from tts_server.duplex.outbox import Outbox, Outgoing
from tts_server.engines import BackendError, BackendRefusedError, NothingToSayError
from tts_server.synthesis.admission import OverloadedError
from tts_server.synthesis.service import SpeechService, UnknownEmotionError, UnknownVoiceError, Utterance
from tts_server.synthesis.stream import DeadlineError
from tts_server.text.collector import Piece, SentenceCollector

log = logging.getLogger(__name__)

MAX_PIECE_CHARACTERS = 150
"""The longest text spoken in one go: about 35 s of audio, which is the most that is made ahead of a slow client."""
MAX_TASK_CHARACTERS = 100_000
MAX_WAITING_CHARACTERS = 20_000
"""How much text may wait to be spoken."""
PAUSE_SECONDS = 0.8
"""After how long without text an unfinished sentence is spoken as far as it goes."""
TEXT_SECONDS = 60.0
"""After how long without text, and with nothing left to speak, a task fails."""
_FRAME_SECONDS = 0.25


_INVALID_UNICODE = "payload.input.text is not valid Unicode: it contains an unpaired surrogate."


@dataclass(frozen=True, slots=True)
class _Progress:
    """What was sent so far: the newest sentence, and the audio of the whole task in milliseconds."""

    index: int = 0
    piece: Piece | None = None
    milliseconds: int = 0

    def place(self) -> dict[str, Any]:
        """Return where the speech stops if nothing more is sent."""
        piece = self.piece
        sentence = {"index": self.index, "begin_index": piece.begin, "end_index": piece.end} if piece else None
        return {"sentence": sentence, "time": self.milliseconds}


def _ignore() -> None:
    """Do nothing."""


class Task:
    """Collects text, speaks it sentence by sentence, and leaves events and audio in the outbox."""

    def __init__(
        self,
        task_id: str,
        parameters: Parameters,
        *,
        service: SpeechService,
        outbox: Outbox,
        timeout: float,
        account: Account,
        on_end: Callable[["Task"], None],
    ) -> None:
        """``timeout`` is the deadline of each sentence in seconds. ``on_end`` is called once the last event is sent."""
        self.id = task_id
        self.result = "running"
        self.error: TaskError | None = None
        self.characters = 0
        self.sent = _Progress()
        self._parameters = parameters
        self._format = parameters.output_format
        self._service = service
        self._outbox = outbox
        self._timeout = timeout
        self._account = account
        self._on_end = on_end
        self._collector = SentenceCollector(MAX_PIECE_CHARACTERS)
        self._pieces: deque[Piece] = deque()
        self._waiting = 0
        self._finishing = False
        self._changed = Event()
        self._heard = time.monotonic()
        self._milliseconds = 0.0
        self._sentences = 0
        self._encoder = service.open_encoder(self._format)
        self._greenlet: Any = None
        self._stopped = False
        """Whether the greenlet is being killed. It may still run once before it is."""

    def start(self) -> None:
        """Begin to speak. Raises :class:`TaskError` if the parameters cannot be satisfied."""
        with _task_errors(self._timeout):
            self._service.check(self._parameters.delivery)
        rate = self._format.rate(self._service.engine.sample_rate)
        self._put_event("task-started", {"output": {"format": self._format.name, "sample_rate": rate}})
        self._greenlet = gevent.spawn(self._run)

    def add(self, fragment: str) -> None:
        """Add a fragment of the text. Raises :class:`TaskError` if it is invalid or too long, or after the end."""
        if self._finishing:
            raise TaskError("task_finishing", "No text may follow finish-task. Start a new task.")
        self._heard = time.monotonic()
        if self._collector.characters + len(fragment) > MAX_TASK_CHARACTERS:
            raise TaskError("input_too_long", f"A task may have at most {MAX_TASK_CHARACTERS} characters.")
        if self._waiting + len(fragment) > MAX_WAITING_CHARACTERS:
            raise TaskError(
                "input_too_long", f"More than {MAX_WAITING_CHARACTERS} characters wait. Send text as it is spoken."
            )
        try:
            self._append(self._collector.add(fragment))
        except UnicodeError:
            raise TaskError("invalid_unicode", _INVALID_UNICODE) from None

    def flush(self) -> None:
        """Speak what is there, whether or not its sentence is complete."""
        rest = self._collector.flush()
        self._append([rest] if rest else [])

    def finish(self) -> None:
        """Speak what is left, and then end. Raises :class:`TaskError` if the text is invalid."""
        self._finishing = True
        try:
            last = self._collector.finish()
        except UnicodeError:
            raise TaskError("invalid_unicode", _INVALID_UNICODE) from None
        self._append([last] if last else [])

    def cancel(self) -> None:
        """Stop at once, drop what was not sent, and say where the speech has stopped."""
        if self.result not in ("running", "finished"):
            return
        waited = self._outbox.drop(self.id)
        if self.result == "finished" and not waited:
            return  # its last event is on its way
        self._stop("canceled")
        self._put(lambda: event("task-finished", self.id, self._finished()), self._ended)

    def fail(self, error: TaskError) -> None:
        """Stop with an error, after the audio that was already made."""
        if self.result != "running":
            return
        self.error = error
        self._stop("failed")
        self._put(lambda: task_failed(self.id, error), self._ended)

    def abandon(self) -> None:
        """Stop at once, because the client has gone."""
        self._stop("abandoned")
        self._outbox.drop(self.id)

    def _stop(self, result: str) -> None:
        self.result = result
        if self._greenlet is not None and self._greenlet is not gevent.getcurrent():
            self._stopped = True
            self._greenlet.kill(block=False)

    def _append(self, pieces: list[Piece]) -> None:
        self._pieces.extend(pieces)
        self._waiting += sum(len(each.text) for each in pieces)
        self._changed.set()

    def _run(self) -> None:
        try:
            while piece := self._next_piece():
                with _task_errors(self._timeout):
                    self._speak(piece)
            self._put(self._encoder.finish())
            self.result = "finished"
            self._put(lambda: event("task-finished", self.id, self._finished()), self._ended)
        except TaskError as error:
            self.fail(error)
        except Exception:
            log.exception("task failed", extra={"task_id": self.id})
            self.fail(TaskError("internal_error", "Internal server error. See the server's log for details."))
        finally:
            self._encoder.discard()

    def _next_piece(self) -> Piece | None:
        """Wait for something to speak. Return None at the end. Raises :class:`TaskError` if no text comes."""
        while not self._pieces:
            if self._finishing:
                return None
            silent = time.monotonic() - self._heard
            if silent >= TEXT_SECONDS:
                raise TaskError("request_timeout", f"No text has come for {TEXT_SECONDS:g} seconds.")
            if silent >= PAUSE_SECONDS and not self._collector.empty:
                rest = self._collector.pause()
                self._append([rest] if rest else [])
                self._heard = time.monotonic()
                continue
            self._changed.clear()
            self._changed.wait(TEXT_SECONDS - silent if self._collector.empty else PAUSE_SECONDS - silent)
        piece = self._pieces.popleft()
        self._waiting -= len(piece.text)
        if self._parameters.enable_ssml and piece.text.startswith("<speak"):
            raise TaskError("invalid_value", "SSML is not supported over a WebSocket. Send plain text.")
        return piece

    def _speak(self, piece: Piece) -> None:
        """Put the audio of the piece into the outbox, between its two events. Skip what cannot be pronounced."""
        with closing(self._synthesise(piece)) as chunks:
            try:
                with self._account.charged(len(piece.text)):
                    first = next(chunks)
            except NothingToSayError:
                return
            index, begin = self._sentences, round(self._milliseconds)
            self._sentences += 1
            self.characters += len(piece.text)
            sentence = {"index": index, "begin_index": piece.begin, "end_index": piece.end, "begin_time": begin}
            output = {"type": "sentence-begin", "sentence": {**sentence, "words": []}, "original_text": piece.text}
            self._put_event("result-generated", {"output": output})
            self._put_samples(first, index, piece)
            for chunk in chunks:
                self._put_samples(chunk, index, piece)
        end = {**sentence, "end_time": round(self._milliseconds), "words": []}
        if self._pieces or not self._finishing:
            # Also while nothing follows yet: it pushes the end of the sentence out of the encoder.
            self._put_samples(self._silence(piece.pause), index, piece)
        usage = {"characters": self.characters}
        self._put_event("result-generated", {"output": {"type": "sentence-end", "sentence": end}, "usage": usage})

    def _synthesise(self, piece: Piece) -> Generator[bytes]:
        """Yield the samples of the piece. If the server is overloaded in the middle of a task, wait for it."""
        deadline = time.monotonic() + self._timeout
        while True:
            try:
                result = self._service.speak(
                    self._utterance(piece.text), output_format=FORMATS["pcm"], timeout=self._timeout
                )
                break
            except OverloadedError as error:
                if not self._sentences or time.monotonic() + error.retry_after > deadline:
                    raise
                gevent.sleep(error.retry_after)
        if result.chunks is None:
            yield result.data or b""
            return
        try:
            yield from result.chunks
        finally:
            result.chunks.close()

    def _silence(self, pause: float) -> bytes:
        """Return the samples of a pause, which is in seconds at normal speed."""
        return bytes(BYTES_PER_SAMPLE * round(pause / self._parameters.rate * self._service.engine.sample_rate))

    def _put_samples(self, pcm: bytes, index: int, piece: Piece) -> None:
        """Encode samples and put them into the outbox, in frames of a quarter of a second."""
        rate = self._service.engine.sample_rate
        step = BYTES_PER_SAMPLE * round(rate * _FRAME_SECONDS)
        for start in range(0, len(pcm), step):
            part = pcm[start : start + step]
            data = self._encoder.encode(part)
            self._milliseconds += 1000 * len(part) / BYTES_PER_SAMPLE / rate
            self._put(data, partial(self._set_sent, _Progress(index, piece, round(self._milliseconds))))

    def _set_sent(self, progress: _Progress) -> None:
        self.sent = progress

    def _put_event(self, name: str, payload: dict[str, Any]) -> None:
        self._put(lambda: event(name, self.id, payload))

    def _put(self, data: bytes | Callable[[], str], sent: Callable[[], None] = _ignore) -> None:
        if isinstance(data, bytes) and data:
            self._outbox.wait_for_room(len(data))
        if self._stopped and self._greenlet is gevent.getcurrent():
            raise gevent.GreenletExit
        if data:
            self._outbox.put(Outgoing(self.id, data, sent))

    def _finished(self) -> dict[str, Any]:
        """Return the payload of task-finished."""
        output: dict[str, Any] = {"sentence": {"words": []}}
        if self.result == "canceled":
            output["stopped"] = self.sent.place()
        return {"output": output, "usage": {"characters": self.characters}}

    def _ended(self) -> None:
        self._on_end(self)

    def _utterance(self, text: str) -> Utterance:
        return Utterance(text, self._parameters.delivery, plain=True)  # a fragment is no document


@contextmanager
def _task_errors(timeout: float) -> Generator[None]:
    """Turn what can go wrong with a sentence into a :class:`TaskError`, with the codes of the HTTP API."""
    try:
        yield
    except UnknownVoiceError as error:
        raise TaskError("unknown_voice", str(error)) from None
    except UnknownEmotionError as error:
        raise TaskError("unknown_emotion", str(error)) from None
    except OverloadedError as error:
        raise TaskError("overloaded", str(error), retry_after=error.retry_after) from None
    except BackendError as error:
        message = f"The speech backend is not available. Retry in {error.retry_after} s."
        raise TaskError("backend_unavailable", message, retry_after=error.retry_after) from None
    except BackendRefusedError:
        raise TaskError("backend_refused", "The speech backend does not speak this text.") from None
    except DeadlineError:
        message = f"The audio was not ready within {timeout:g} seconds."
        raise TaskError("deadline_exceeded", message, retry_after=1) from None
