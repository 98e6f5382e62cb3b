"""From a text to its audio: front end, caches, shared requests, synthesis, encoding."""

import hashlib
import json
import math
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Literal

from tts_server.audio.encoding import Format
from tts_server.audio.pcm import BYTES_PER_SAMPLE
from tts_server.cache.memory import AudioCache, CachedAudio, CacheKeyMemo
from tts_server.engines import NEUTRAL, Engine, EngineError, Sentence
from tts_server.observability.metrics import Metrics
from tts_server.observability.tracing import Span
from tts_server.synthesis.loading import Loading
from tts_server.synthesis.scheduler import Job, Scheduler
from tts_server.synthesis.stream import AbandonedError, AudioStream
from tts_server.synthesis.stream_encoder import StreamEncoder

if TYPE_CHECKING:
    from tts_server.cache.redis import RedisCache

CacheStatus = Literal["hit", "miss", "coalesced"]
"""Where the audio comes from: a cache, this request, or another request that is still running."""

_PCM = "pcm"


class UnknownVoiceError(ValueError):
    """The engine has no voice with this name."""


class UnknownEmotionError(ValueError):
    """The engine has no emotion with this name."""


@dataclass(frozen=True, slots=True)
class Utterance:
    """What to say, and how. An empty ``voice`` means the default one."""

    text: str
    voice: str = ""
    speed: float = 1.0
    emotion: str = NEUTRAL


@dataclass(frozen=True, slots=True)
class SpeechResult:
    """Audio in the requested format. For WAV: the samples that follow the header.

    If the audio is complete, ``data`` holds it. Otherwise ``chunks`` yields it as it is produced, and raises what
    :meth:`SpeechService.speak` raises.
    """

    cache_status: CacheStatus
    cache_key: tuple[str, str]
    """The key under which the cache holds the audio, once it is complete."""
    audio: CachedAudio | AudioStream
    chunks: Generator[bytes] | None = None

    @property
    def data(self) -> bytes | None:
        """The whole audio, or None while it is being produced."""
        return self.audio.data if self.chunks is None else None

    @property
    def seconds(self) -> float:
        """The length of the audio so far."""
        return self.audio.seconds


class SpeechService:
    """Speaks texts with one engine. All methods except :meth:`load` run in the event loop."""

    def __init__(
        self,
        engine: Engine,
        *,
        threads: int,
        queue_seconds: float,
        cache: AudioCache,
        metrics: Metrics,
        redis_cache: "RedisCache | None" = None,
        default_voice: str = "",
    ) -> None:
        self.engine = engine
        self._threads = threads
        self._queue_seconds = queue_seconds
        self._cache = cache
        self._redis_cache = redis_cache
        self._metrics = metrics
        self._keys = CacheKeyMemo()
        self._scheduler: Scheduler | None = None
        self._running: dict[str, Job] = {}
        self._encoder = StreamEncoder(threads=threads, sample_rate=engine.sample_rate, cache=cache)
        self.default_voice = default_voice or engine.voices[0].id
        metrics.cache_bytes.set_function(lambda: cache.bytes)
        metrics.queue_depth.set_function(lambda: self._scheduler.pending if self._scheduler else 0)
        metrics.queue_seconds.set_function(lambda: self._scheduler.admission.backlog if self._scheduler else 0)

    @property
    def loaded(self) -> bool:
        """Whether :meth:`speak` can be called."""
        return self._scheduler is not None

    def retry_after(self) -> int:
        """Return the seconds that a client should wait until the current work is done, at least 1."""
        return max(1, math.ceil(self._scheduler.admission.backlog)) if self._scheduler else 1

    def load(self, loading: Loading | None = None) -> None:
        """Load and warm up the engine, or wait for a loading that has begun. The event loop keeps running.

        Raises EngineError.
        """
        loading = loading or Loading(self.engine, self._threads)
        voices = self._voice_ids()
        if self.default_voice not in voices:
            raise EngineError(
                f"TTS_DEFAULT_VOICE is {self.default_voice!r}, but {self.engine.name} has only: {', '.join(voices)}."
            )
        self._scheduler = Scheduler(
            loading.sessions(),
            sample_rate=self.engine.sample_rate,
            queue_seconds=self._queue_seconds,
            metrics=self._metrics,
        )
        self._metrics.load_seconds.set(time.monotonic() - loading.began)
        self._metrics.model_ready.set(1)

    def cached(self, key: tuple[str, str]) -> CachedAudio | None:
        """Return the audio under :attr:`SpeechResult.cache_key` if it is in memory."""
        return self._cache.get(key)

    def speak(
        self,
        utterance: Utterance,
        *,
        output_format: Format,
        timeout: float,
        whole: bool = False,
        span: Span | None = None,
        fresh: bool = False,
        has_left: Callable[[], bool] = lambda: False,
    ) -> SpeechResult:
        """Return the audio within ``timeout`` seconds. For several sentences, the first chunk is enough by then.

        With ``whole`` the result is complete. With ``fresh`` the audio is synthesised for this request alone, whatever
        the caches hold, and not cached. ``span`` gets a child per synthesised sentence. ``has_left`` returns whether
        the client has closed its connection; then its work ends.

        Raises NothingToSayError, UnknownVoiceError, UnknownEmotionError, OverloadedError, DeadlineError and
        ClientLeftError, and EngineError before the engine is loaded.
        """
        scheduler, voice = self._loaded_scheduler(), self._check(utterance)
        deadline = time.monotonic() + timeout
        new_job = partial(
            Job, voice=voice, speed=utterance.speed, emotion=utterance.emotion, deadline=deadline, span=span
        )
        if fresh:
            job = new_job(self.engine.plan(utterance.text), on_abandoned=scheduler.cancel)
            scheduler.submit(job)
            stream = self._encoder.encode(None, output_format, job.stream) if output_format.codec else job.stream
            return self._result("miss", ("", ""), stream.read(deadline, has_left), stream, whole=whole)

        request = _request_digest(utterance, voice)
        format_name = output_format.name if output_format.codec else _PCM
        key = self._keys.get(request)
        audio = self.cached((key, format_name)) if key else None
        if key and audio:
            self._metrics.cache_events.labels("hit").inc()
            return SpeechResult("hit", (key, format_name), audio)
        sentences = self.engine.plan(utterance.text)
        key = cache_key(self.engine, sentences, voice=voice, speed=utterance.speed, emotion=utterance.emotion)
        self._keys.put(request, key)
        create = partial(new_job, sentences, on_end=partial(self._finish, key), on_abandoned=self._abandon)
        stream, cache_status = self._find_or_start(key, deadline, create)
        if output_format.codec:
            running = self._encoder.in_progress(key, output_format)
            stream = running or self._encoder.encode(key, output_format, stream)
        return self._result(cache_status, (key, format_name), stream.read(deadline, has_left), stream, whole=whole)

    def _result(
        self,
        cache_status: CacheStatus,
        key: tuple[str, str],
        chunks: Generator[bytes],
        stream: AudioStream,
        *,
        whole: bool,
    ) -> SpeechResult:
        """Count the request, then wait for the first chunk of its stream or for all of its audio."""
        self._metrics.cache_events.labels(cache_status).inc()
        return SpeechResult(cache_status, key, stream, _await_audio(stream, chunks, whole=whole))

    def _find_or_start(self, key: str, deadline: float, create: Callable[[], Job]) -> tuple[AudioStream, CacheStatus]:
        """Return the samples under this key: cached, being produced by a running job, or by a new one from now on."""
        audio = self._cache.get((key, _PCM))
        if audio is not None:
            return AudioStream.completed(*audio), "hit"
        running = self._running.get(key)
        if running:
            running.deadline = max(running.deadline, deadline)
            return running.stream, "coalesced"
        job = create()
        return job.stream, self._start(key, job)

    def _start(self, key: str, job: Job) -> CacheStatus:
        """Begin to fill the job's stream, from Redis or by synthesis."""
        stream, rate = job.stream, self.engine.sample_rate
        self._running[key] = job
        try:
            pcm = self._redis_cache.get(key, rate) if self._redis_cache else None
            if pcm is not None:
                stream.append(pcm, len(pcm) / BYTES_PER_SAMPLE / rate)
                stream.finish()
                return "hit"
            self._loaded_scheduler().submit(job)
        except BaseException as error:
            stream.fail(error if isinstance(error, Exception) else AbandonedError())
            raise
        return "miss"

    def _abandon(self, job: Job) -> None:
        # A reader may leave while the first request still asks Redis. That request goes on with the job.
        if job.submitted:
            self._loaded_scheduler().cancel(job)

    def _finish(self, key: str, job: Job) -> None:
        del self._running[key]
        stream = job.stream
        if stream.complete:
            self._cache.put((key, _PCM), CachedAudio(stream.data, stream.seconds))
            if self._redis_cache and job.submitted:  # otherwise the audio came from Redis
                self._redis_cache.put(key, stream.data, self.engine.sample_rate)

    def _check(self, utterance: Utterance) -> str:
        """Return the name of the voice. Raises UnknownVoiceError and UnknownEmotionError."""
        voice, voices = utterance.voice or self.default_voice, self._voice_ids()
        if voice not in voices:
            raise UnknownVoiceError(f"Unknown voice {voice!r}. Available voices: {', '.join(voices)}.")
        if utterance.emotion not in self.engine.emotions:
            emotions = ", ".join(self.engine.emotions)
            raise UnknownEmotionError(f"Unknown emotion {utterance.emotion!r}. Available emotions: {emotions}.")
        return voice

    def _loaded_scheduler(self) -> Scheduler:
        if self._scheduler is None:
            raise EngineError("The model is still loading.")
        return self._scheduler

    def _voice_ids(self) -> list[str]:
        return [voice.id for voice in self.engine.voices]


def cache_key(engine: Engine, sentences: Sequence[Sentence], *, voice: str, speed: float, emotion: str) -> str:
    """Return a digest of everything that determines the audio, with the text as the front end has prepared it."""
    inputs = [engine.name, engine.revision, voice, speed, emotion, [(each.text, each.pause) for each in sentences]]
    return hashlib.sha256(json.dumps(inputs).encode()).hexdigest()


def _request_digest(utterance: Utterance, voice: str) -> bytes:
    """Return a digest of the request, with the text as the client sent it."""
    return hashlib.sha256(f"{voice}\0{utterance.emotion}\0{utterance.speed}\0{utterance.text}".encode()).digest()


def _await_audio(stream: AudioStream, chunks: Generator[bytes], *, whole: bool) -> Generator[bytes] | None:
    """Wait for the first chunk, or with ``whole`` for all of them.

    Return the chunks, or None if the stream is complete. An error before the first chunk becomes the response.
    """
    first = next(chunks, b"")
    if whole and not stream.complete:
        for _ in chunks:
            pass
    if stream.complete:
        chunks.close()
        return None
    return _chain(first, chunks)


def _chain(first: bytes, rest: Generator[bytes]) -> Generator[bytes]:
    # A generator that was never started does not run its `finally`, and the response may be closed before it is read.
    try:
        yield first
        yield from rest
    finally:
        rest.close()
