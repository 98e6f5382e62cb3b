"""One sentence from the upstream: asked for, received, checked, and brought to the rate and speed that are wanted."""

import re
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, suppress
from http import HTTPStatus

import numpy as np

from tts_server.audio.pcm import Pcm
from tts_server.audio.resampling import Resampler, transpose
from tts_server.audio.time_stretch import time_stretch
from tts_server.engines.backend.availability import Availability
from tts_server.engines.backend.requests import RequestRecorder
from tts_server.engines.backend.sound import NotSpeechError, check_speech, longest_seconds
from tts_server.engines.protocol import BackendBusyError, BackendError, BackendRefusedError, InvalidAudioError
from tts_server.engines.upstream.connection import Connection, NotBegunError, Response, UnsentError
from tts_server.engines.upstream.requests import SpeechRequests
from tts_server.engines.upstream.wav import Decoder, FormatError
from tts_server.settings.upstream import UpstreamSettings
from tts_server.text import Sentence

_FULL_SCALE = 32767
# Between attempts, as long as nothing of an answer has come.
_PAUSES_SECONDS = (0.1, 0.4)
# A proxy without a server behind it, and a server that is not ready.
_NOT_THERE = (502, 503, 504)
_SERVER_ERRORS = range(500, 600)
_MAX_RETRY_AFTER_SECONDS = 60
_RATE = re.compile(r"rate\s*=\s*\"?(\d{4,6})", re.IGNORECASE)
_NUMBER = re.compile(r"\s*(\d{4,6})\s*")
_RATES = range(4_000, 192_001)
_NO_AUDIO = re.compile(r"^(text/|application/(json|xml|problem\+json)|multipart/)", re.IGNORECASE)
_EXCERPT_BYTES = 2_048
_EXCERPT_CHARACTERS = 200
_EXCERPT_SECONDS = 1.0


class ServerError(BackendError):
    """The upstream has failed, with a status from 500. The text may be the cause."""


class UpstreamSession:
    """Asks the upstream for one sentence at a time, over a connection of its own."""

    def __init__(
        self,
        settings: UpstreamSettings,
        requests: SpeechRequests,
        connection: Connection,
        availability: Availability,
        recorder: RequestRecorder,
        *,
        path: str,
        headers: Callable[[], list[tuple[str, str]]],
        quotes: bool = False,
    ) -> None:
        """``path`` is that of the speech endpoint. ``headers`` returns those of a request.

        With ``quotes``, errors contain what the upstream says. That may repeat the text, which must not be logged.
        """
        self._settings = settings
        self._requests = requests
        self._connection = connection
        self._availability = availability
        self._recorder = recorder
        self._path = path
        self._headers = headers
        self._quotes = quotes

    def synthesise(self, sentence: Sentence) -> Iterator[Pcm]:
        """Yield the samples of the sentence. Raises BackendError and BackendRefusedError."""
        how, rate = sentence.delivery, self._settings.sample_rate
        chunks = self.received(sentence)
        # To transpose the sound changes its length back.
        speed = (1.0 if self._settings.takes_speed == "yes" else how.speed) / how.pitch
        if speed == how.pitch == 1.0:
            yield from chunks
            return
        samples = np.concatenate(list(chunks)).astype(np.float32) / np.float32(_FULL_SCALE)
        sound = iter([time_stretch(samples, speed, sample_rate=rate)])
        if how.pitch != 1.0:
            sound = transpose(sound, how.pitch, sample_rate=rate)
        for each in sound:
            yield np.rint(np.clip(each, -1.0, 1.0) * _FULL_SCALE).astype(np.int16)

    def received(self, sentence: Sentence) -> Iterator[Pcm]:
        """Yield the samples as the upstream sends them, at the engine's rate.

        At the end, all of them are checked. Raises BackendError and BackendRefusedError.
        """
        with self._recorder.request():
            yield from self._checked(sentence)

    def _checked(self, sentence: Sentence) -> Iterator[Pcm]:
        speed = sentence.delivery.speed if self._settings.takes_speed == "yes" else 1.0
        parts = [np.zeros(0, np.int16)]
        try:
            with closing(self._samples(sentence, speed)) as chunks:
                for chunk in chunks:
                    self._recorder.sounded()
                    parts.append(chunk)
                    yield chunk
            check_speech(
                np.concatenate(parts),
                sample_rate=self._settings.sample_rate,
                syllables=sentence.syllables,
                speed=speed,
            )
        except (FormatError, NotSpeechError) as error:
            self._availability.failed(str(error), by_text=True)
            raise InvalidAudioError(str(error)) from None
        except BackendBusyError:
            raise
        except BackendError as error:
            self._availability.failed(str(error), by_text=isinstance(error, InvalidAudioError | ServerError))
            raise
        except BackendRefusedError as error:
            self._availability.failed(str(error), by_text=True)
            raise
        self._availability.spoke()

    def _samples(self, sentence: Sentence, speed: float) -> Generator[Pcm]:
        settings, begun = self._settings, time.monotonic()
        longest = longest_seconds(sentence.syllables, speed)
        first_by = begun + settings.first_byte_seconds
        end_by = first_by + longest
        response = self._answered(self._requests.body(sentence), first_by)
        decoder = Decoder(_declared_rate(response) or settings.sample_rate, wav=settings.response_format == "wav")
        resampler: Resampler | None = None
        received = 0
        body = response.body(first_by=first_by, idle_seconds=settings.idle_seconds, end_by=end_by)
        with closing(body) as pieces:
            for piece in pieces:
                self._availability.heard()
                samples = decoder.decode(piece)
                if not len(samples):
                    continue
                received += len(samples)
                if received > longest * decoder.rate:
                    raise NotSpeechError(f"More than {longest:.0f} s of audio came for {sentence.syllables} syllables.")
                if resampler is None and decoder.rate != settings.sample_rate:
                    resampler = Resampler(decoder.rate, settings.sample_rate)
                converted = resampler.convert(samples) if resampler else samples
                if len(converted):
                    yield converted
        decoder.finish()
        if not (response.framed or decoder.ends_itself):
            raise FormatError(
                "The response does not say where it ends, so nobody knows whether it is complete. The upstream must "
                "send a Content-Length or chunks, or WAV with its length."
            )
        if resampler:
            yield resampler.finish()

    def _answered(self, body: bytes, first_by: float) -> Response:
        """Return a response with audio. As long as nothing has come, the request is sent up to three times."""
        pauses = iter(_PAUSES_SECONDS)
        while True:
            try:
                response = self._connection.request("POST", self._path, self._headers(), body, first_by=first_by)
                check_response(response, first_by, quotes=self._quotes)
            except UnsentError:
                continue  # the next one goes over a new connection
            except NotBegunError:
                pause = next(pauses, None)
                if pause is None or time.monotonic() + pause >= first_by:
                    raise
                self._recorder.sent_again()
                time.sleep(pause)
            else:
                return response


def check_response(response: Response, first_by: float, *, quotes: bool) -> None:
    """Raise BackendError or BackendRefusedError unless a response has audio."""
    kind = response.headers.get("content-type", "")
    if response.ok and not _NO_AUDIO.match(kind):
        return
    excerpt = _excerpt(response, first_by)
    excerpt = f": {excerpt}." if quotes and excerpt else "."
    if response.ok:
        raise InvalidAudioError(f"The upstream sends {kind[:_EXCERPT_CHARACTERS]!r} instead of audio{excerpt}")
    message = f"The upstream answers with status {response.status}{excerpt}"
    retry_after = _retry_after(response)
    if response.status == HTTPStatus.TOO_MANY_REQUESTS or (
        response.status == HTTPStatus.SERVICE_UNAVAILABLE and retry_after
    ):
        raise BackendBusyError(message, retry_after=retry_after or 1)
    if response.status in _NOT_THERE:
        raise NotBegunError(message)
    if response.status in _SERVER_ERRORS:
        raise ServerError(message)
    raise BackendRefusedError(message)


def _excerpt(response: Response, first_by: float) -> str:
    """Return what the upstream says about it, on one line."""
    text, until = b"", min(first_by, time.monotonic() + _EXCERPT_SECONDS)
    with suppress(BackendError), closing(response.body(first_by=until, idle_seconds=0.0, end_by=until)) as pieces:
        for piece in pieces:
            text += piece
            if len(text) >= _EXCERPT_BYTES:
                break
    words = " ".join(text[:_EXCERPT_BYTES].decode("utf-8", "replace").split())
    return "".join(char for char in words if char.isprintable())[:_EXCERPT_CHARACTERS].rstrip(".")


def _retry_after(response: Response) -> int:
    """Return the whole seconds after which the upstream wants to be asked again, 0 if it does not say."""
    text = response.headers.get("retry-after", "")
    return min(max(1, int(text)), _MAX_RETRY_AFTER_SECONDS) if text.isascii() and text.isdigit() else 0


def _declared_rate(response: Response) -> int | None:
    """Return the sample rate that the response names, in its type (``audio/pcm;rate=24000``) or X-Sample-Rate."""
    headers = response.headers
    found = _RATE.search(headers.get("content-type", "")) or _NUMBER.fullmatch(headers.get("x-sample-rate", ""))
    rate = int(found[1]) if found else 0
    return rate if rate in _RATES else None
