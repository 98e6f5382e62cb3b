"""From a text to its sound: front end, cache, joined requests, synthesis."""

import hashlib
import json
import logging
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import gevent
from gevent.event import AsyncResult
from gevent.threadpool import ThreadPool

from tts_server.audio import BYTES_PER_SAMPLE, sentence_bytes
from tts_server.cache import PcmCache
from tts_server.engines import Engine, EngineError, Sentence, Session
from tts_server.engines.protocol import Pcm
from tts_server.metrics import Metrics
from tts_server.scheduler import DeadlineError, Job, Scheduler

log = logging.getLogger(__name__)

Source = Literal["hit", "miss", "coalesced"]


class UnknownVoiceError(ValueError):
    """The engine has no voice of that name."""


class UnknownEmotionError(ValueError):
    """The engine has no emotion of that name."""


@dataclass(frozen=True, slots=True)
class Speech:
    """Finished sound: 16-bit little-endian mono PCM, and whether it was cached, new, or made for another request."""

    pcm: bytes
    sample_rate: int
    source: Source


@dataclass(frozen=True, slots=True)
class _InFlight:
    job: Job
    result: "AsyncResult[bytes]"


class SpeechService:
    """Speaks texts with one engine. Everything but :meth:`load` runs in the event loop."""

    def __init__(
        self,
        engine: Engine,
        *,
        threads: int,
        queue_seconds: float,
        cache: PcmCache,
        metrics: Metrics,
        default_voice: str = "",
    ) -> None:
        self.engine = engine
        self._threads = threads
        self._queue_seconds = queue_seconds
        self._cache = cache
        self._metrics = metrics
        self._scheduler: Scheduler | None = None
        self._in_flight: dict[str, _InFlight] = {}
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

    def load(self) -> None:
        """Load and warm the engine on a native thread while the event loop runs on; raises EngineError."""
        start = time.monotonic()
        voices = self._voice_ids()
        if self.default_voice not in voices:
            raise EngineError(
                f"TTS_DEFAULT_VOICE is {self.default_voice!r}, but {self.engine.name} has: {', '.join(voices)}."
            )
        loader = ThreadPool(1)
        sessions: list[Session] = loader.spawn(_load, self.engine, self._threads).get()
        loader.kill()
        self._scheduler = Scheduler(sessions, queue_seconds=self._queue_seconds, metrics=self._metrics)
        self._metrics.load_seconds.set(time.monotonic() - start)
        self._metrics.model_ready.set(1)

    def speak(self, text: str, *, voice: str | None, speed: float, emotion: str, timeout: float) -> Speech:
        """Return the sound of the text within ``timeout`` seconds.

        Raises NothingToSayError, UnknownVoiceError, UnknownEmotionError, OverloadedError, DeadlineError; EngineError
        while not loaded.
        """
        if self._scheduler is None:
            raise EngineError("The model is still loading.")
        voice = voice or self.default_voice
        if voice not in self._voice_ids():
            raise UnknownVoiceError(f"There is no voice {voice!r}. Voices: {', '.join(self._voice_ids())}.")
        if emotion not in self.engine.emotions:
            known = ", ".join(self.engine.emotions)
            raise UnknownEmotionError(f"There is no emotion {emotion!r}. Emotions: {known}.")
        deadline = time.monotonic() + timeout
        sentences = self.engine.plan(text)
        key = cache_key(self.engine, sentences, voice=voice, speed=speed, emotion=emotion)
        job = Job(sentences, voice=voice, speed=speed, emotion=emotion, deadline=deadline)
        pcm, source = self._find_or_make(key, job)
        self._metrics.cache_events.labels(source).inc()
        return Speech(pcm, self.engine.sample_rate, source)

    def _find_or_make(self, key: str, job: Job) -> tuple[bytes, Source]:
        assert self._scheduler is not None  # noqa: S101 - speak() has seen to it
        cached = self._cache.get(key)
        if cached is not None:
            return cached, "hit"
        running = self._in_flight.get(key)
        source: Source = "coalesced" if running else "miss"
        if running:
            running.job.deadline = max(running.job.deadline, job.deadline)
        else:
            running = _InFlight(job, AsyncResult())
            said = self._scheduler.admit(job)
            self._in_flight[key] = running
            # Not in this request's own greenlet: others may join, and must not lose it when this one ends.
            gevent.spawn(self._make, key, running, said)
        try:
            return running.result.get(timeout=max(0.0, job.deadline - time.monotonic())), source
        except gevent.Timeout:
            raise DeadlineError from None

    def _make(self, key: str, running: _InFlight, said: Iterator[tuple[Sentence, Pcm]]) -> None:
        rate, speed = self.engine.sample_rate, running.job.speed
        try:
            pcm = b"".join(
                sentence_bytes(samples, sentence, sample_rate=rate, speed=speed) for sentence, samples in said
            )
        except DeadlineError as error:
            running.result.set_exception(error)
        except Exception as error:
            log.exception("synthesis failed")
            running.result.set_exception(error)
        else:
            self._metrics.audio_seconds.inc(len(pcm) / BYTES_PER_SAMPLE / rate)
            self._cache.put(key, pcm)
            running.result.set(pcm)
        finally:
            del self._in_flight[key]

    def _voice_ids(self) -> list[str]:
        return [voice.id for voice in self.engine.voices]


def cache_key(engine: Engine, sentences: Sequence[Sentence], *, voice: str, speed: float, emotion: str) -> str:
    """Return a digest of everything that changes the sound."""
    what = [engine.name, engine.revision, voice, speed, emotion, [(each.text, each.pause) for each in sentences]]
    return hashlib.sha256(json.dumps(what).encode()).hexdigest()


def _load(engine: Engine, threads: int) -> list[Session]:
    engine.load()
    return [engine.open_session() for _ in range(threads)]
