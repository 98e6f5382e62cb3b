"""The audio of one segment: how it is made, kept, and read again."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from tts_server.audio.encoding import FORMATS, encode_file
from tts_server.audio.pcm import BYTES_PER_SAMPLE
from tts_server.jobs import layout
from tts_server.jobs.model import JobName, Options
from tts_server.jobs.planning.plan import PlannedSegment, sound_of
from tts_server.jobs.storage import Storage
from tts_server.jobs.threads import Threads
from tts_server.synthesis.service import SpeechService, Utterance
from tts_server.timing.alignment import TimedSentence, pack, unpack

_FLAC = FORMATS["flac"]
_HEADER_BYTES = 42  # the marker, a block header and STREAMINFO
# 20 bits of the sample rate, 8 of channels and sample size, then the 36 bits of the length: RFC 9639, section 8.2.
_NUMBERS = slice(18, 26)
_MAX_FLAC_BYTES = 64 << 20
_MAX_TIMES_BYTES = 8 << 20
# A segment takes seconds. Under live traffic it waits, but not for longer than this before it is tried again.
_SPEAK_SECONDS = 600.0


class BrokenSegmentError(Exception):
    """An object is not the audio that it should be."""

    def __init__(self, digest: str) -> None:
        super().__init__(f"The segment {digest} cannot be read.")
        self.digest = digest


@dataclass(frozen=True, slots=True)
class Spoken:
    """The samples of a segment as 16-bit PCM, and when its words sound if the engine knows."""

    pcm: bytes
    timing: Sequence[TimedSentence] = ()


class Speaker(Protocol):
    """Speaks segments."""

    @property
    def sample_rate(self) -> int:
        """The sample rate in Hz."""
        ...

    def sound(self, options: Options) -> str:
        """Return a digest of all but the text that decides how a segment with these options sounds now."""
        ...

    def speak(self, text: str, options: Options) -> Spoken:
        """Speak a text. Raises NothingToSayError, and what the engine raises."""
        ...


class ServiceSpeaker:
    """The :class:`Speaker` that uses the threads of this server which no live request wants."""

    def __init__(self, service: SpeechService) -> None:
        self._service = service

    @property
    def sample_rate(self) -> int:
        """See :class:`Speaker`."""
        return self._service.engine.sample_rate

    def sound(self, options: Options) -> str:
        """See :class:`Speaker`."""
        engine = self._service.engine
        return sound_of(engine.name, engine.revision, engine.sample_rate, self._service.lexicon.digest, options)

    def speak(self, text: str, options: Options) -> Spoken:
        """See :class:`Speaker`."""
        utterance = Utterance(text, options.delivery, options.lexicon, plain=True)
        stream = self._service.speak_in_background(utterance, timeout=_SPEAK_SECONDS)
        return Spoken(stream.data, stream.timing)


def write_segment(
    storage: Storage, threads: Threads, job: JobName, planned: PlannedSegment, spoken: Spoken, *, rate: int, timed: bool
) -> None:
    """Write the audio with the pause that follows it. If ``timed``, also when its words sound, which is there first."""
    pcm = spoken.pcm + bytes(BYTES_PER_SAMPLE * round(planned.segment.pause * rate))
    if timed:
        samples = len(pcm) // BYTES_PER_SAMPLE
        storage.write(layout.segment_times(job, planned.digest), pack(spoken.timing, samples))
    storage.write(layout.segment(job, planned.digest), threads.call(encode_file, _FLAC, pcm, rate))


def read_samples(storage: Storage, job: JobName, digest: str) -> int:
    """Return the length of a segment from its header. Raises NoObjectError and BrokenSegmentError."""
    header = storage.read_range(layout.segment(job, digest), 0, _HEADER_BYTES)
    samples = int.from_bytes(header[_NUMBERS], "big") & ((1 << 36) - 1)
    if len(header) < _HEADER_BYTES or not header.startswith(b"fLaC") or not samples:
        raise BrokenSegmentError(digest)
    return samples


def read_pcm(storage: Storage, threads: Threads, job: JobName, digest: str) -> bytes:
    """Return the samples of a segment. Raises NoObjectError and BrokenSegmentError."""
    data = storage.read(layout.segment(job, digest), limit=_MAX_FLAC_BYTES)
    pcm: bytes | None = threads.call(_decode, data)
    if pcm is None:
        raise BrokenSegmentError(digest)
    return pcm


def read_times(storage: Storage, job: JobName, digest: str, samples: int) -> Sequence[TimedSentence]:
    """Return when the words of a segment sound. Raises NoObjectError and BrokenSegmentError."""
    timing = unpack(storage.read(layout.segment_times(job, digest), limit=_MAX_TIMES_BYTES), samples)
    if timing is None:
        raise BrokenSegmentError(digest)
    return timing


def _decode(data: bytes) -> bytes | None:
    """Return the samples of a FLAC file with 16-bit mono samples, or None if it is none."""
    import av  # noqa: PLC0415 - as in audio.encoding

    try:
        container: Any  # PyAV's type also covers one that is written
        with av.open(io.BytesIO(data), format="flac") as container:
            return b"".join(frame.to_ndarray().astype("<i2").tobytes() for frame in container.decode(audio=0))
    except (av.FFmpegError, IndexError):
        return None
