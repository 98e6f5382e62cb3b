"""Join the segments of a job into one file, with chapters and captions. The memory does not depend on the length."""

import os
from collections.abc import Iterator
from dataclasses import dataclass

from tts_server.audio.encoding import Encoder, Format, with_length
from tts_server.audio.mp4 import AudioBook
from tts_server.audio.pcm import BYTES_PER_SAMPLE
from tts_server.audio.resampling import resampled_length
from tts_server.audio.tags import Tags
from tts_server.audio.wav import UNKNOWN_BYTES, Coding
from tts_server.jobs import layout
from tts_server.jobs.download import captions_type, headers_of
from tts_server.jobs.model import Audio, Chapter, Job
from tts_server.jobs.planning.plan import Plan, PlannedSegment, read_segments
from tts_server.jobs.storage import Storage, Writer
from tts_server.jobs.threads import Threads, ahead
from tts_server.jobs.work.segments import read_pcm, read_samples, read_times
from tts_server.timing.alignment import TimedSentence, milliseconds
from tts_server.timing.captions import Cue, cues, srt, vtt

MAX_CHAPTERS = 1000
"""So many chapters have marks in the file. Those after them are in the audio all the same."""
_READ_AHEAD = 8
_EXTENSIONS = {"opus": "opus", "pcm_alaw": "alaw", "pcm_mulaw": "ulaw", "wav_alaw": "wav", "wav_mulaw": "wav"}
_VTT_HEAD = "WEBVTT\n\n"


@dataclass(frozen=True, slots=True)
class _Measured:
    """All segments are there: the length of the audio in samples, and its chapters."""

    samples: int
    chapters: tuple[Chapter, ...]


class Joiner:
    """Joins the segments of one job."""

    def __init__(self, storage: Storage, threads: Threads, job: Job, plan: Plan) -> None:
        self._storage = storage
        self._threads = threads
        self._job = job
        self._plan = plan
        self._rate = plan.sample_rate

    def join(self) -> Audio:
        """Write the files, under names that nobody else uses, and return what they are.

        Raises NoObjectError and BrokenSegmentError if a segment is not there as it should be.
        """
        options, nonce = self._job.options, os.urandom(4).hex()
        measured = self._measure()
        name = f"audio-{nonce}.{_EXTENSIONS.get(options.response_format, options.response_format)}"
        size = self._write_audio(name, options.format, measured)
        subtitles = ""
        if options.subtitles:
            subtitles = f"subtitles-{nonce}.{options.subtitles}"
            self._write_subtitles(subtitles)
        return Audio(
            name,
            options.format.content_type(self._rate),
            size,
            measured.samples / self._rate,
            self._plan.segments,
            measured.chapters,
            subtitles,
        )

    def _segments(self) -> Iterator[PlannedSegment]:
        return read_segments(self._storage, self._job.name, self._plan)

    def _lengths(self) -> Iterator[tuple[PlannedSegment, int]]:
        def measure(planned: PlannedSegment) -> tuple[PlannedSegment, int]:
            return planned, read_samples(self._storage, self._job.name, planned.digest)

        return ahead(measure, self._segments(), width=_READ_AHEAD)

    def _measure(self) -> _Measured:
        samples = 0
        chapters: list[Chapter] = []
        for planned, length in self._lengths():
            title = planned.segment.title
            if title is not None and self._job.options.chapters != "none" and len(chapters) < MAX_CHAPTERS:
                chapters.append(Chapter(title, milliseconds(samples, self._rate) / 1000))
            samples += length
        return _Measured(samples, tuple(chapters))

    def _pcm(self) -> Iterator[bytes]:
        def read(planned: PlannedSegment) -> bytes:
            return read_pcm(self._storage, self._threads, self._job.name, planned.digest)

        # Two, so that the next segment is there when the encoder is done with one.
        return ahead(read, self._segments(), width=2)

    def _write_audio(self, name: str, output_format: Format, measured: _Measured) -> int:
        """Write the file, and return its size in bytes."""
        writer = self._writer(name, output_format.content_type(self._rate))
        size = 0
        for data in self._file(output_format, measured):
            writer.write(data)
            size += len(data)
        writer.close()
        return size

    def _writer(self, name: str, content_type: str) -> Writer:
        return self._storage.writer(layout.file(self._job.name, name), headers_of(self._job, name, content_type))

    def _file(self, output_format: Format, measured: _Measured) -> Iterator[bytes]:
        """Yield the file with its length in the header."""
        length = _output_samples(output_format, measured.samples, self._rate)
        seconds = measured.samples / self._rate
        tags = Tags(self._job.options.title, [(each.title, each.start) for each in measured.chapters], seconds)
        if output_format.name == "m4b":
            book = AudioBook(tags, rate=output_format.rate(self._rate), samples=length)
            for data in self._encoded(output_format, None, length):
                yield book.add(data)
            yield from book.finish()
            return
        yield output_format.header(self._rate, _payload_bytes(output_format, length))
        if output_format.is_engine_output(self._rate):
            yield from self._pcm()
            return
        yield from self._encoded(output_format, tags, length)

    def _encoded(self, output_format: Format, tags: Tags | None, length: int) -> Iterator[bytes]:
        """Yield what the encoder makes of all segments. ``length`` is in samples of the format."""
        encoder = self._threads.call(Encoder, output_format, self._rate, tags)
        finished = False
        try:
            is_first = True
            for pcm in self._pcm():
                data = self._threads.call(encoder.encode, pcm)
                if data:
                    yield with_length(output_format, data, length) if is_first else data
                    is_first = False
            data, finished = self._threads.call(encoder.finish), True
            yield with_length(output_format, data, length) if is_first else data
        finally:
            if not finished:
                self._threads.call(encoder.close)

    def _write_subtitles(self, name: str) -> None:
        writer = self._writer(name, captions_type(name))
        is_vtt = self._job.options.subtitles == "vtt"
        if is_vtt:
            writer.write(_VTT_HEAD.encode())
        number = 1
        for captions in self._captions():
            # Both formats are lists of blocks, so a file in parts is the same as a whole one.
            text = vtt(captions).removeprefix(_VTT_HEAD) + "\n" if is_vtt else srt(captions, first=number)
            number += len(captions)
            writer.write(text.encode())
        writer.close()

    def _captions(self) -> Iterator[list[Cue]]:
        """Yield the captions of each segment that has some."""

        def read(measured: tuple[PlannedSegment, int]) -> tuple[int, list[TimedSentence]]:
            planned, samples = measured
            return samples, list(read_times(self._storage, self._job.name, planned.digest, samples))

        start = 0
        for samples, timing in ahead(read, self._lengths(), width=_READ_AHEAD):
            shifted = [TimedSentence(start + each.start, each.alignment) for each in timing]
            captions = cues(shifted, samples=start + samples, sample_rate=self._rate)
            if captions:
                yield captions
            start += samples


def _output_samples(output_format: Format, samples: int, rate: int) -> int:
    """Return how many samples the file has."""
    target = output_format.rate(rate)
    length = samples if target == rate else resampled_length(samples, rate, target)
    return length + length % 2 if output_format.even else length


def _payload_bytes(output_format: Format, samples: int) -> int:
    """Return how many bytes follow the header of a WAV file, which cannot state more than 4 GiB."""
    return min(samples * (BYTES_PER_SAMPLE if output_format.wav is Coding.LINEAR else 1), UNKNOWN_BYTES)
