"""From a text to its audio: front end, caches, shared requests, synthesis, encoding."""

import hashlib
import json
import math
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import astuple, dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Literal

from tts_server import __version__
from tts_server.audio.encoding import FORMATS, Format
from tts_server.audio.pcm import BYTES_PER_SAMPLE
from tts_server.cache.memory import AudioCache, CachedAudio, CacheKeyMemo
from tts_server.engines import DEFAULT_DELIVERY, BackedEngine, Delivery, Engine, EngineError, Script, plain_script
from tts_server.lexicon import MAX_REQUEST_ENTRIES, NO_ENTRIES, apply_lexicons, read_lexicon
from tts_server.observability.metrics import Metrics
from tts_server.observability.tracing import Span
from tts_server.ssml import is_ssml, read_ssml
from tts_server.synthesis.admission import CostModel
from tts_server.synthesis.backend_watch import BackendWatch
from tts_server.synthesis.keys import cache_key, lexicon_of, without_lexicon
from tts_server.synthesis.loading import Loading
from tts_server.synthesis.scheduler import Job, Scheduler
from tts_server.synthesis.stream import AbandonedError, AudioStream
from tts_server.synthesis.stream_encoder import ContinuousEncoder, StreamEncoder
from tts_server.synthesis.timings import TimingCache
from tts_server.timing.alignment import TimedSentence

if TYPE_CHECKING:
    from tts_server.cache.redis import RedisCache

CacheStatus = Literal["hit", "miss", "coalesced"]
"""Where the audio comes from: a cache, this request, or another request that is still running."""


class UnknownVoiceError(ValueError):
    """The engine has no voice with this name."""


class UnknownEmotionError(ValueError):
    """The engine has no emotion with this name."""


class NoTimestampsError(ValueError):
    """The engine does not know when words sound."""


@dataclass(frozen=True, slots=True)
class Utterance:
    """What to say, and how. ``text`` may be SSML, unless it is ``plain``.

    ``lexicon`` has words, and for each its reading in pinyin, or text to say instead.
    """

    text: str
    delivery: Delivery = DEFAULT_DELIVERY
    lexicon: Mapping[str, str] = field(default_factory=dict)
    plain: bool = False


@dataclass(frozen=True, slots=True)
class SpeechResult:
    """Audio in the requested format, without the header of WAV, which the response adds.

    If the audio is complete, ``data`` holds it. Otherwise ``chunks`` yields it as it is produced, and raises what
    :meth:`SpeechService.speak` raises.
    """

    cache_status: CacheStatus
    cache_key: tuple[str, str]
    """The key under which the cache holds the audio, once it is complete."""
    audio: CachedAudio | AudioStream
    chunks: Generator[bytes] | None = None
    timing: Sequence[TimedSentence] = ()
    """The sentences that have begun so far. A sentence is there before its audio. Complete when the audio is."""

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
        max_characters: int = 500,
    ) -> None:
        """``max_characters`` is how much of an SSML document may be spoken."""
        self.engine = engine
        self.lexicon = NO_ENTRIES
        """The lexicon of the service. It may change at any time."""
        self._max_characters = max_characters
        self._threads = threads
        self._queue_seconds = queue_seconds
        self._cache = cache
        self._redis_cache = redis_cache
        self._metrics = metrics
        self._timings = TimingCache(cache, redis_cache, engine.sample_rate)
        self._keys = CacheKeyMemo()
        self._scheduler: Scheduler | None = None
        self._backend: BackendWatch | None = None
        self._running: dict[str, Job] = {}
        self._encoder = StreamEncoder(threads=threads, sample_rate=engine.sample_rate, cache=cache)
        self._samples = FORMATS["pcm"].payload(engine.sample_rate)
        self.default_voice = default_voice or engine.voices[0].id
        metrics.cache_bytes.set_function(lambda: cache.bytes)
        metrics.queue_depth.set_function(lambda: self._scheduler.pending if self._scheduler else 0)
        metrics.queue_seconds.set_function(lambda: self._scheduler.admission.backlog if self._scheduler else 0)

    @property
    def loaded(self) -> bool:
        """Whether :meth:`speak` can be called."""
        return self._scheduler is not None

    @property
    def seconds_per_syllable(self) -> float:
        """About the time of one thread that a syllable takes, as measured lately."""
        cost = self._scheduler.cost if self._scheduler else CostModel()
        return cost.seconds_per_syllable

    def retry_after(self) -> int:
        """Return the seconds that a client should wait until the current work is done, at least 1."""
        return max(1, math.ceil(self._scheduler.admission.backlog)) if self._scheduler else 1

    def load(self, loading: Loading | None = None) -> None:
        """Load and warm up the engine, or wait for a loading that has begun. The event loop keeps running.

        Raises EngineError.
        """
        loading = loading or Loading(self.engine, self._threads)
        if isinstance(self.engine, BackedEngine):
            self._backend = BackendWatch(self.engine.backend, self._metrics)
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
        # Some engines know their revision only now.
        self._metrics.build_info.labels(__version__, self.engine.name, self.engine.revision).set(1)
        self._metrics.load_seconds.set(time.monotonic() - loading.began)
        self._metrics.model_ready.set(1)
        if self._backend:
            self._backend.begin_checks()

    def cached(self, key: tuple[str, str]) -> CachedAudio | None:
        """Return the audio under :attr:`SpeechResult.cache_key` if it is in memory."""
        # Audio under an older lexicon may be read in another way. Whoever holds such a key must ask again.
        return self._cache.get(key) if lexicon_of(key[0]) == self._lexicon_id() else None

    def script(self, utterance: Utterance) -> Script:
        """Return what the engine is to say, by the SSML and the lexicons.

        Raises ScriptError, UnknownVoiceError and UnknownEmotionError.
        """
        text, delivery = utterance.text, self.check(utterance.delivery)
        known = self.engine.syllables
        lexicon = read_lexicon(utterance.lexicon, origin="lexicon", syllables=known, max_entries=MAX_REQUEST_ENTRIES)
        if is_ssml(text) and not utterance.plain:
            voices, limit = self._voice_ids(), self._max_characters
            script = read_ssml(text, delivery, voices=voices, syllables=known, max_characters=limit)
        else:
            script = plain_script(text, delivery)
        return apply_lexicons(script, (lexicon, self.lexicon), self.engine.words)

    def open_encoder(self, output_format: Format) -> ContinuousEncoder:
        """Return an encoder for a stream of several utterances."""
        return self._encoder.open(output_format)

    def speak(
        self,
        utterance: Utterance,
        *,
        output_format: Format,
        timeout: float,
        whole: bool = False,
        span: Span | None = None,
        fresh: bool = False,
        timed: bool = False,
        has_left: Callable[[], bool] = lambda: False,
    ) -> SpeechResult:
        """Return the audio within ``timeout`` seconds. For several sentences, the first chunk is enough by then.

        With ``whole`` the result is complete. With ``fresh`` the audio is synthesised for this request alone, whatever
        the caches hold, and not cached. With ``timed`` the result says when words sound. ``span`` gets a child per
        synthesised sentence. ``has_left`` returns whether the client has closed its connection; then its work ends.

        Raises NothingToSayError, ScriptError, UnknownVoiceError, UnknownEmotionError, NoTimestampsError,
        OverloadedError, DeadlineError and ClientLeftError, EngineError before the engine is loaded, and BackendError
        and BackendRefusedError if a backend makes the sound.
        """
        scheduler = self._loaded_scheduler()
        if timed and not scheduler.aligns:
            raise NoTimestampsError(f"The engine {self.engine.name!r} does not know when words sound.")
        deadline = time.monotonic() + timeout
        new_job = partial(Job, deadline=deadline, span=span)
        encodes = not output_format.is_engine_output(self.engine.sample_rate)
        if fresh:
            job = new_job(self.engine.plan(self.script(utterance)), on_abandoned=scheduler.cancel)
            self._submit(job)
            stream = self._encoder.encode(None, output_format, job.stream) if encodes else job.stream
            return self._result("miss", ("", ""), stream.read(deadline, has_left), stream, whole=whole)

        request = _request_digest(utterance, self.check(utterance.delivery))
        payload = output_format.payload(self.engine.sample_rate)
        key = self._keys.get(request)
        audio = self.cached((key, payload)) if key else None
        timing = self._timings.get(key, audio.seconds) if timed and key and audio else ()
        if key and audio and timing is not None:
            self._metrics.cache_events.labels("hit").inc()
            return SpeechResult("hit", (key, payload), audio, timing=timing)
        sentences = self.engine.plan(self.script(utterance))
        key = cache_key(self.engine, sentences) + self._lexicon_id()
        self._keys.put(request, key)
        create = partial(new_job, sentences, on_end=partial(self._finish, key), on_abandoned=self._abandon)
        stream, cache_status = self._find_or_start(key, deadline, create, timed=timed)
        if encodes:
            running = self._encoder.in_progress(key, output_format)
            if running is None or (timed and running.timing is not stream.timing):
                running = self._encoder.encode(key, output_format, stream)
            stream = running
        return self._result(cache_status, (key, payload), stream.read(deadline, has_left), stream, whole=whole)

    def speak_in_background(self, utterance: Utterance, *, timeout: float) -> AudioStream:
        """Return complete samples, made on threads that no other text wants. They are neither admitted nor cached.

        Raises NothingToSayError, ScriptError, UnknownVoiceError, UnknownEmotionError and DeadlineError, what the engine
        raises, and EngineError before it is loaded.
        """
        scheduler = self._loaded_scheduler()
        deadline = time.monotonic() + timeout
        sentences = self.engine.plan(self.script(utterance))
        job = Job(sentences, deadline=deadline, background=True, on_abandoned=scheduler.cancel)
        self._submit(job)
        for _ in job.stream.read(deadline):
            pass
        return job.stream

    @property
    def aligns(self) -> bool:
        """Whether streams say when words sound. Raises EngineError before the engine is loaded."""
        return self._loaded_scheduler().aligns

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
        return SpeechResult(cache_status, key, stream, _await_audio(stream, chunks, whole=whole), stream.timing)

    def _find_or_start(
        self, key: str, deadline: float, create: Callable[[], Job], *, timed: bool
    ) -> tuple[AudioStream, CacheStatus]:
        """Return the samples under this key: cached, being produced by a running job, or by a new one from now on.

        With ``timed``, samples without their times are not enough.
        """
        audio = self._cache.get((key, self._samples))
        timing = self._timings.get(key, audio.seconds) if timed and audio else ()
        if audio is not None and timing is not None:
            return AudioStream.completed(*audio, timing), "hit"
        running = self._running.get(key)
        if running:
            running.deadline = max(running.deadline, deadline)
            running.timed = running.timed or timed
            return running.stream, "coalesced"
        job = create()
        job.timed = timed
        return job.stream, self._start(key, job)

    def _start(self, key: str, job: Job) -> CacheStatus:
        """Begin to fill the job's stream, from Redis or by synthesis."""
        stream, rate = job.stream, self.engine.sample_rate
        self._running[key] = job
        try:
            pcm = self._redis_cache.get(without_lexicon(key), rate) if self._redis_cache else None
            # Asked here, because a request that wants to know may have joined meanwhile.
            wanted = job.timed and pcm is not None
            timing = (
                self._timings.get_shared(without_lexicon(key), len(pcm or b"") // BYTES_PER_SAMPLE) if wanted else ()
            )
            if pcm is not None and timing is not None:
                stream.timing.extend(timing)
                stream.append(pcm, len(pcm) / BYTES_PER_SAMPLE / rate)
                stream.finish()
                return "hit"
            self._submit(job)
        except BaseException as error:
            stream.fail(error if isinstance(error, Exception) else AbandonedError())
            raise
        return "miss"

    def _submit(self, job: Job) -> None:
        """Let the scheduler have the job. Raises OverloadedError, and BackendError while the backend cannot speak."""
        if self._backend:
            self._backend.require()
        self._loaded_scheduler().submit(job)

    def _abandon(self, job: Job) -> None:
        # A reader may leave while the first request still asks Redis. That request goes on with the job.
        if job.submitted:
            self._loaded_scheduler().cancel(job)

    def _finish(self, key: str, job: Job) -> None:
        del self._running[key]
        stream = job.stream
        if stream.complete:
            self._cache.put((key, self._samples), CachedAudio(stream.data, stream.seconds))
            if job.timed:
                shared_key = without_lexicon(key) if job.submitted else None  # otherwise they came from Redis
                self._timings.put(key, stream.timing, stream.seconds, shared_key=shared_key)
            if self._redis_cache and job.submitted:  # otherwise the audio came from Redis
                self._redis_cache.put(without_lexicon(key), stream.data, self.engine.sample_rate)

    def check(self, delivery: Delivery) -> Delivery:
        """Return the delivery with the name of its voice. Raises UnknownVoiceError and UnknownEmotionError."""
        voice, voices = delivery.voice or self.default_voice, self._voice_ids()
        if voice not in voices:
            raise UnknownVoiceError(f"Unknown voice {voice!r}. Available voices: {', '.join(voices)}.")
        if delivery.emotion not in self.engine.emotions:
            emotions = ", ".join(self.engine.emotions)
            raise UnknownEmotionError(f"Unknown emotion {delivery.emotion!r}. Available emotions: {emotions}.")
        return replace(delivery, voice=voice)

    def _lexicon_id(self) -> str:
        """Return the end of every key in memory, which says under which lexicon of the service it was made."""
        return f".{self.lexicon.digest}" if self.lexicon.digest else ""

    def _loaded_scheduler(self) -> Scheduler:
        if self._scheduler is None:
            raise EngineError("The model is still loading.")
        return self._scheduler

    def _voice_ids(self) -> list[str]:
        return [voice.id for voice in self.engine.voices]


def _request_digest(utterance: Utterance, delivery: Delivery) -> bytes:
    """Return a digest of the request, with the text as the client sent it."""
    inputs = [utterance.text, utterance.plain, *astuple(delivery), sorted(utterance.lexicon.items())]
    return hashlib.sha256(json.dumps(inputs).encode()).digest()


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
