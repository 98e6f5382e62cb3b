"""Synthesis on native threads, so that the event loop never waits for the CPU."""

import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial

import gevent
from gevent.event import Event
from gevent.threadpool import ThreadPool

from tts_server.audio.pcm import BYTES_PER_SAMPLE, pcm_bytes
from tts_server.engines import Sentence, Session
from tts_server.observability.metrics import Metrics
from tts_server.observability.tracing import Span
from tts_server.synthesis.admission import Admission, CostModel, work
from tts_server.synthesis.stream import AbandonedError, DeadlineError, Recording

log = logging.getLogger(__name__)


class Job:
    """One text on its way into a recording. ``deadline`` is monotonic time, and may be moved back while it runs."""

    def __init__(
        self, sentences: Sequence[Sentence], *, voice: str, speed: float, emotion: str, deadline: float
    ) -> None:
        self.sentences = sentences
        self.voice = voice
        self.speed = speed
        self.emotion = emotion
        self.deadline = deadline
        self.recording = Recording()
        self.span: Span | None = None
        self.share = True
        """Whether other servers do not have the sound yet."""
        self.work = [work(each.syllables, speed) for each in sentences]
        """Of each sentence, in syllables at normal speed."""
        self.submitted = 0.0
        self.taken = 0
        """How many sentences went to a thread, which they do in order."""
        self._made: dict[int, deque[bytes]] = {}
        self._finished: set[int] = set()
        self._next = 0

    @property
    def left(self) -> int:
        """How many sentences no thread has taken, and somebody still wants."""
        return 0 if self.recording.over else len(self.sentences) - self.taken

    def deliver(self, index: int, piece: bytes, sample_rate: int, *, last: bool) -> None:
        """Put the next piece of a sentence's sound into the recording, as soon as all before it are there."""
        if self.recording.over:
            return
        self._made.setdefault(index, deque()).append(piece)
        if last:
            self._finished.add(index)
        while made := self._made.get(self._next):
            piece = made.popleft()
            self.recording.append(piece, len(piece) / BYTES_PER_SAMPLE / sample_rate)
            if not made and self._next in self._finished:
                self._next += 1
        if self._next == len(self.sentences):
            self.recording.finish()


class Scheduler:
    """As many threads as sessions. Sentences of one text run in parallel where threads are idle.

    Texts take turns sentence by sentence, so a short one passes a long one.
    """

    def __init__(
        self, sessions: Sequence[Session], *, sample_rate: int, queue_seconds: float, metrics: Metrics
    ) -> None:
        self._sample_rate = sample_rate
        self._pool = ThreadPool(len(sessions))
        self._turns: deque[Job] = deque()
        self._work = Event()
        self._metrics = metrics
        self.cost = CostModel()
        self.admission = Admission(self.cost, threads=len(sessions), queue_seconds=queue_seconds)
        self._lanes = [gevent.spawn(self._lane, session) for session in sessions]

    @property
    def waiting(self) -> int:
        """How many sentences wait for a thread."""
        return sum(job.left for job in self._turns)

    def submit(self, job: Job) -> None:
        """Let the job in at once, or raise OverloadedError; its recording then fills, or fails."""
        self.admission.admit(sum(job.work))
        job.submitted = time.monotonic()
        self._turns.append(job)
        self._work.set()

    def cancel(self, job: Job, error: Exception | None = None) -> None:
        """Give up what no thread has taken yet; what one has is finished and thrown away."""
        if job.recording.over:
            return
        self.admission.release(sum(job.work[job.taken :]))
        job.recording.fail(error or AbandonedError())

    def _lane(self, session: Session) -> None:
        """Keep one thread busy with one session, for ever."""
        while True:
            self._make(session, *self._take())

    def _make(self, session: Session, job: Job, index: int) -> None:
        """Have a sentence made on a thread, and deliver it."""
        begin, loop = time.time_ns(), gevent.get_hub().loop

        def deliver(piece: bytes) -> None:
            """Called on the thread."""
            loop.run_callback_threadsafe(partial(job.deliver, index, piece, self._sample_rate, last=False))

        try:
            rest, size, seconds = self._pool.spawn(_synthesise, session, job, index, self._sample_rate, deliver).get()
        except Exception as error:
            log.exception("synthesis failed")
            self.cancel(job, error)
        else:
            self._learn(job, index, size, seconds)
            if job.span:
                job.span.child("synthesise", begin, time.time_ns(), sentence=index, seconds=seconds)
            # By the loop, for which earlier pieces may still wait.
            loop.run_callback(partial(job.deliver, index, rest, self._sample_rate, last=True))
        finally:
            self.admission.release(job.work[index])

    def _take(self) -> tuple[Job, int]:
        """Wait for a sentence: the next of the text whose turn it is, unless its time has passed."""
        while True:
            while self._turns:
                job = self._turns.popleft()
                now = time.monotonic()
                if not job.left:
                    continue
                if now >= job.deadline:
                    self.cancel(job, DeadlineError())
                    continue
                index = job.taken
                job.taken += 1
                if index == 0:
                    self._metrics.queue_wait_seconds.observe(now - job.submitted)
                if job.left:
                    self._turns.append(job)
                return job, index
            self._work.clear()
            self._work.wait()

    def _learn(self, job: Job, index: int, size: int, seconds: float) -> None:
        self.cost.learn(job.sentences[index].syllables, job.speed, seconds)
        audio = size / BYTES_PER_SAMPLE / self._sample_rate
        self._metrics.synthesis_seconds.inc(seconds)
        self._metrics.audio_seconds.inc(audio)
        if audio:
            self._metrics.real_time_factor.observe(seconds / audio)


def _synthesise(
    session: Session, job: Job, index: int, sample_rate: int, deliver: Callable[[bytes], None]
) -> tuple[bytes, int, float]:
    """Say a sentence; what was not delivered of it yet, how many bytes it has, and the seconds that it took.

    Where more sentences follow, somebody listens to the first one while they are made: its pieces are delivered at
    once. A lone sentence comes whole, so that its answer has a length.

    Runs on a native thread: no metrics, logs or locks of the event loop in here.
    """
    start, size = time.perf_counter(), 0
    sentence = job.sentences[index]
    said = session.synthesise(sentence, voice=job.voice, speed=job.speed, emotion=job.emotion)
    pieces = pcm_bytes(said, pause=sentence.pause / job.speed, sample_rate=sample_rate)
    if index == 0 and len(job.sentences) > 1:
        for piece in pieces:
            deliver(piece)
            size += len(piece)
    rest = b"".join(pieces)
    return rest, size + len(rest), time.perf_counter() - start
