"""From a text to its sound: front end, caches, joined requests, synthesis, encoding."""

import hashlib
import json
import math
import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from tts_server.audio.encoding import Format
from tts_server.audio.pcm import BYTES_PER_SAMPLE
from tts_server.cache.memory import PlanMemo, Sound, SoundCache
from tts_server.engines import NEUTRAL, Engine, EngineError, Sentence
from tts_server.observability.metrics import Metrics
from tts_server.observability.tracing import Span
from tts_server.synthesis.loading import Loading
from tts_server.synthesis.scheduler import Job, Scheduler
from tts_server.synthesis.stream import AbandonedError, Recording
from tts_server.synthesis.stream_encoder import Renditions

if TYPE_CHECKING:
    from tts_server.cache.redis import SharedCache

Source = Literal["hit", "miss", "coalesced"]

_PCM = "pcm"


class UnknownVoiceError(ValueError):
    """The engine has no voice of that name."""


class UnknownEmotionError(ValueError):
    """The engine has no emotion of that name."""


@dataclass(frozen=True, slots=True)
class Utterance:
    """What is to be said and how; ``voice`` empty: the default one."""

    text: str
    voice: str = ""
    speed: float = 1.0
    emotion: str = NEUTRAL


@dataclass(frozen=True, slots=True)
class Speech:
    """Sound in the format that was asked for (for WAV: the samples after the header).

    Either ``data`` is all of it, or ``pieces`` yields it while it is being made, and raises what
    :meth:`SpeechService.speak` raises. ``source``: was it cached, new, or made for another request?
    """

    source: Source
    key: tuple[str, str]
    """Where the cache has it, once it is complete."""
    sound: Sound | Recording
    pieces: Generator[bytes] | None = None

    @property
    def data(self) -> bytes | None:
        """All of it, or None where it is not finished."""
        return self.sound.data if self.pieces is None else None

    @property
    def seconds(self) -> float:
        """How long it is, or has become so far."""
        return self.sound.seconds


class SpeechService:
    """Speaks texts with one engine. Everything but :meth:`load` runs in the event loop."""

    def __init__(
        self,
        engine: Engine,
        *,
        threads: int,
        queue_seconds: float,
        cache: SoundCache,
        metrics: Metrics,
        shared: "SharedCache | None" = None,
        default_voice: str = "",
    ) -> None:
        self.engine = engine
        self._threads = threads
        self._queue_seconds = queue_seconds
        self._cache = cache
        self._shared = shared
        self._metrics = metrics
        self._memo = PlanMemo()
        self._scheduler: Scheduler | None = None
        self._running: dict[str, Job] = {}
        self._renditions = Renditions(threads=threads, sample_rate=engine.sample_rate, cache=cache)
        self.default_voice = default_voice or engine.voices[0].id
        metrics.cache_bytes.set_function(lambda: cache.bytes)
        metrics.queue_depth.set_function(lambda: self._scheduler.waiting if self._scheduler else 0)
        metrics.queue_seconds.set_function(lambda: self._scheduler.admission.backlog if self._scheduler else 0)

    @property
    def loaded(self) -> bool:
        """Whether :meth:`speak` can be called."""
        return self._scheduler is not None

    def retry_after(self) -> int:
        """Return how many seconds a client should wait for the work there is now, at least one."""
        return max(1, math.ceil(self._scheduler.admission.backlog)) if self._scheduler else 1

    def load(self, loading: Loading | None = None) -> None:
        """Load and warm the engine while the event loop runs on, or wait for what has begun to; raises EngineError."""
        loading = loading or Loading(self.engine, self._threads)
        voices = self._voice_ids()
        if self.default_voice not in voices:
            raise EngineError(
                f"TTS_DEFAULT_VOICE is {self.default_voice!r}, but {self.engine.name} has: {', '.join(voices)}."
            )
        self._scheduler = Scheduler(
            loading.sessions(),
            sample_rate=self.engine.sample_rate,
            queue_seconds=self._queue_seconds,
            metrics=self._metrics,
        )
        self._metrics.load_seconds.set(time.monotonic() - loading.began)
        self._metrics.model_ready.set(1)

    def cached(self, key: tuple[str, str]) -> Sound | None:
        """Return the sound that :attr:`Speech.key` names, if it is in memory."""
        return self._cache.get(key)

    def speak(
        self,
        said: Utterance,
        *,
        target: Format,
        timeout: float,
        whole: bool = False,
        span: Span | None = None,
        fresh: bool = False,
    ) -> Speech:
        """Return the sound within ``timeout`` seconds, or its first piece by then where it has several sentences.

        ``whole``: only all of it will do. ``span`` gets a child for each sentence that is made. ``fresh``: made now and
        only for this, whatever the caches hold, and not kept. Raises NothingToSayError, UnknownVoiceError,
        UnknownEmotionError, OverloadedError, DeadlineError; EngineError while not loaded.
        """
        voice = self._check(said)
        deadline = time.monotonic() + timeout
        request = hashlib.sha256(f"{voice}\0{said.emotion}\0{said.speed}\0{said.text}".encode()).digest()
        stored = target.name if target.codec else _PCM
        if fresh:
            return self._speak_fresh(said, voice, target, deadline, whole=whole, span=span)
        key = self._memo.get(request)
        sound = self.cached((key, stored)) if key else None
        if key and sound:
            self._metrics.cache_events.labels("hit").inc()
            return Speech("hit", (key, stored), sound)
        sentences = self.engine.plan(said.text)
        key = cache_key(self.engine, sentences, voice=voice, speed=said.speed, emotion=said.emotion)
        self._memo.put(request, key)
        job = Job(sentences, voice=voice, speed=said.speed, emotion=said.emotion, deadline=deadline)
        job.span = span
        recording, source = self._find_or_make(key, job)
        if target.codec:
            recording = self._renditions.running(key, target) or self._renditions.start(key, target, recording)
        self._metrics.cache_events.labels(source).inc()
        pieces = _hear(recording, deadline, whole=whole)
        return Speech(source, (key, stored), recording, pieces)

    def _speak_fresh(
        self, said: Utterance, voice: str, target: Format, deadline: float, *, whole: bool, span: Span | None
    ) -> Speech:
        """Speak beside the caches and beside what others wait for: to find out what this server makes of the text."""
        sentences = self.engine.plan(said.text)
        job = Job(sentences, voice=voice, speed=said.speed, emotion=said.emotion, deadline=deadline)
        job.span = span
        self._ready_scheduler().submit(job)
        job.recording.on_abandoned = lambda: self._ready_scheduler().cancel(job)
        recording = self._renditions.start(None, target, job.recording) if target.codec else job.recording
        self._metrics.cache_events.labels("miss").inc()
        pieces = _hear(recording, deadline, whole=whole)
        return Speech("miss", ("", ""), recording, pieces)

    def _find_or_make(self, key: str, job: Job) -> tuple[Recording, Source]:
        sound = self._cache.get((key, _PCM))
        if sound is not None:
            return Recording.of(*sound), "hit"
        running = self._running.get(key)
        if running:
            running.deadline = max(running.deadline, job.deadline)
            return running.recording, "coalesced"
        return job.recording, self._make(key, job)

    def _make(self, key: str, job: Job) -> Source:
        """Begin to fill the job's recording, from the shared cache or by synthesis."""
        recording, rate = job.recording, self.engine.sample_rate
        self._running[key] = job
        recording.on_over = lambda: self._over(key, job)
        try:
            pcm = self._shared.get(key, rate) if self._shared else None
            if pcm is not None:
                job.share = False
                recording.append(pcm, len(pcm) / BYTES_PER_SAMPLE / rate)
                recording.finish()
                return "hit"
            self._ready_scheduler().submit(job)
        except BaseException as error:
            recording.fail(error if isinstance(error, Exception) else AbandonedError())
            raise
        recording.on_abandoned = lambda: self._ready_scheduler().cancel(job)
        return "miss"

    def _over(self, key: str, job: Job) -> None:
        del self._running[key]
        recording = job.recording
        if recording.complete:
            self._cache.put((key, _PCM), Sound(recording.data, recording.seconds))
            if self._shared and job.share:
                self._shared.put(key, recording.data, self.engine.sample_rate)

    def _check(self, said: Utterance) -> str:
        """Return the voice; raises what :meth:`speak` says of voices and emotions."""
        self._ready_scheduler()
        voice = said.voice or self.default_voice
        if voice not in self._voice_ids():
            raise UnknownVoiceError(f"There is no voice {voice!r}. Voices: {', '.join(self._voice_ids())}.")
        if said.emotion not in self.engine.emotions:
            known = ", ".join(self.engine.emotions)
            raise UnknownEmotionError(f"There is no emotion {said.emotion!r}. Emotions: {known}.")
        return voice

    def _ready_scheduler(self) -> Scheduler:
        if self._scheduler is None:
            raise EngineError("The model is still loading.")
        return self._scheduler

    def _voice_ids(self) -> list[str]:
        return [voice.id for voice in self.engine.voices]


def cache_key(engine: Engine, sentences: Sequence[Sentence], *, voice: str, speed: float, emotion: str) -> str:
    """Return a digest of everything that changes the sound; the text as the front end normalised and split it."""
    what = [engine.name, engine.revision, voice, speed, emotion, [(each.text, each.pause) for each in sentences]]
    return hashlib.sha256(json.dumps(what).encode()).hexdigest()


def _hear(recording: Recording, deadline: float, *, whole: bool) -> Generator[bytes] | None:
    """Wait for the first piece, which settles whether there is an answer, or for all of it: then return None."""
    heard = recording.listen(deadline)
    first = next(heard, b"")
    if whole and not recording.complete:
        for _ in heard:
            pass
    if recording.complete:
        heard.close()
        return None
    return _chain(first, heard)


def _chain(first: bytes, rest: Generator[bytes]) -> Generator[bytes]:
    # A generator that never started would not run its `finally`: whoever closes this one may not have read from it.
    try:
        yield first
        yield from rest
    finally:
        rest.close()
