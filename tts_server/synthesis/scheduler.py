"""Synthesis on native threads, so that the event loop never waits for the CPU."""

import logging
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from functools import partial

import gevent
from gevent.event import Event
from gevent.threadpool import ThreadPool

from tts_server.audio.pcm import BYTES_PER_SAMPLE, Pcm, pcm_bytes
from tts_server.engines import AligningSession, BackendError, BackendRefusedError, Sentence, Session
from tts_server.observability.metrics import Metrics
from tts_server.observability.tracing import Span
from tts_server.synthesis.admission import Admission, CostModel, OverloadedError, work
from tts_server.synthesis.stream import AbandonedError, AudioStream, DeadlineError
from tts_server.timing.alignment import Alignment, TimedSentence

log = logging.getLogger(__name__)

# After a request that somebody waits for, one of several threads is kept free for the next one.
_LIVE_SECONDS = 10.0


def _ignore(_: "Job") -> None:
    """Do nothing."""


class Job:
    """The synthesis of one text into a stream.

    ``deadline`` is monotonic time. It may move back while the job runs, when a request with a later one joins.
    """

    def __init__(
        self,
        sentences: Sequence[Sentence],
        *,
        deadline: float,
        span: Span | None = None,
        background: bool = False,
        on_end: "Callable[[Job], None]" = _ignore,
        on_abandoned: "Callable[[Job], None]" = _ignore,
    ) -> None:
        """Pass the job to ``on_end`` and ``on_abandoned`` when its :class:`AudioStream` calls the like.

        A ``background`` job gets threads that no other job wants.
        """
        self.background = background
        self.sentences = sentences
        self.deadline = deadline
        self.span = span
        self.stream = AudioStream(on_end=partial(on_end, self), on_abandoned=partial(on_abandoned, self))
        self.work = [
            work(each.syllables, each.delivery.speed / each.delivery.pitch) if each.syllables else 0.0
            for each in sentences
        ]
        """The work of each sentence, in syllables at normal speed."""
        self.submitted = 0.0
        """When the job was admitted, in monotonic time; 0 before that."""
        self.started = 0
        """The number of sentences that a thread has taken, which happens in order."""
        self.paused = False
        """Whether the job waits for its readers. Then its work is not among what is admitted."""
        self.timed = False
        """Whether a request wants to know when words sound."""
        self.alignments: dict[int, Alignment] = {}
        """When the words of a sentence sound, by its index. A thread adds it before it delivers the first chunk."""
        self._chunks: dict[int, deque[bytes]] = {}
        self._finished: set[int] = set()
        self._next = 0
        self._samples = 0

    @property
    def pending(self) -> int:
        """The number of sentences that are still wanted and that no thread has taken."""
        return 0 if self.stream.ended else len(self.sentences) - self.started

    def deliver(self, index: int, chunk: bytes, sample_rate: int, *, last: bool) -> None:
        """Add the next chunk of a sentence. It enters the stream once all chunks before it are there."""
        if self.stream.ended:
            return
        self._chunks.setdefault(index, deque()).append(chunk)
        if last:
            self._finished.add(index)
        while ready := self._chunks.get(self._next):
            chunk = ready.popleft()
            if alignment := self.alignments.pop(self._next, None):
                self.stream.timing.append(TimedSentence(self._samples, alignment))
            self._samples += len(chunk) // BYTES_PER_SAMPLE
            self.stream.append(chunk, len(chunk) / BYTES_PER_SAMPLE / sample_rate)
            if not ready and self._next in self._finished:
                self._next += 1
        if self._next == len(self.sentences):
            self.stream.finish()


class Scheduler:
    """Runs one native thread per session.

    Jobs take turns, one sentence at a time, so that a short text overtakes a long one. Sentences of one text run in
    parallel if threads are idle.
    """

    def __init__(
        self, sessions: Sequence[Session], *, sample_rate: int, queue_seconds: float, metrics: Metrics
    ) -> None:
        self._sample_rate = sample_rate
        self._pool = ThreadPool(len(sessions))
        self._queue: deque[Job] = deque()
        self._background: deque[Job] = deque()
        self._background_threads = 0
        self._threads = len(sessions)
        self._live_until = 0.0
        self._queued = Event()
        self._metrics = metrics
        self.aligns = all(isinstance(each, AligningSession) for each in sessions)
        """Whether streams say when words sound."""
        self.cost = CostModel()
        self.admission = Admission(self.cost, threads=len(sessions), queue_seconds=queue_seconds)
        self._workers = [gevent.spawn(self._work, session) for session in sessions]

    @property
    def pending(self) -> int:
        """The number of sentences that wait for a thread, without those in the background."""
        return sum(job.pending for job in self._queue)

    def submit(self, job: Job) -> None:
        """Admit the job, whose stream then fills or fails. Raises OverloadedError, but not for a background job."""
        if not job.background:
            self.admission.admit(sum(job.work))
            self._live_until = time.monotonic() + _LIVE_SECONDS
        job.submitted = time.monotonic()
        (self._background if job.background else self._queue).append(job)
        self._queued.set()

    def cancel(self, job: Job, error: Exception | None = None) -> None:
        """Drop the sentences that no thread has taken. Those in progress run to their end and are discarded."""
        if job.stream.ended:
            return
        if not (job.paused or job.background):
            self.admission.release(sum(job.work[job.started :]))
        job.stream.fail(error or AbandonedError())

    def _work(self, session: Session) -> None:
        """Keep one thread busy with one session, forever."""
        while True:
            self._synthesise(session, *self._next_sentence())

    def _synthesise(self, session: Session, job: Job, index: int) -> None:
        """Synthesise one sentence on a thread and deliver it."""
        begin, loop = time.time_ns(), gevent.get_hub().loop

        def deliver(chunk: bytes) -> None:
            """Deliver a chunk from the thread."""
            loop.run_callback_threadsafe(partial(job.deliver, index, chunk, self._sample_rate, last=False))

        try:
            rest, size, seconds = self._pool.spawn(_synthesise, session, job, index, self._sample_rate, deliver).get()
        except (BackendError, BackendRefusedError) as error:
            log.warning("the backend failed", extra={"problem": str(error)})
            self.cancel(job, error)
        except Exception as error:
            log.exception("synthesis failed")
            self.cancel(job, error)
        else:
            self._measure(job, index, size, seconds)
            if job.span:
                job.span.child("synthesise", begin, time.time_ns(), sentence=index, seconds=seconds)
            # Through the loop, in which earlier chunks may still be waiting.
            loop.run_callback(partial(job.deliver, index, rest, self._sample_rate, last=True))
        finally:
            if job.background:
                self._background_threads -= 1
                self._queued.set()
            else:
                self.admission.release(job.work[index])

    def _next_queue(self) -> deque[Job] | None:
        """Return the queue whose turn it is, or None if nothing may begin."""
        if self._queue:
            return self._queue
        keep_free = 1 if self._threads > 1 and time.monotonic() < self._live_until else 0
        return self._background if self._background and self._background_threads < self._threads - keep_free else None

    def _next_sentence(self) -> tuple[Job, int]:
        """Wait for a sentence, and return its job and its index."""
        while True:
            while (queue := self._next_queue()) is not None:
                job = queue.popleft()
                now = time.monotonic()
                if not (job.pending and self._may_go_on(job, now)):
                    continue
                index = job.started
                job.started += 1
                if job.background:
                    self._background_threads += 1
                elif index == 0:
                    self._metrics.queue_wait_seconds.observe(now - job.submitted)
                if job.pending and job.background:
                    # One text after the other: of two that took turns, both would end at the same time, and the
                    # threads would have nothing to do until others arrive.
                    queue.appendleft(job)
                elif job.pending:
                    queue.append(job)
                return job, index
            self._queued.clear()
            # A thread that is kept free may begin on the background later, without anything that wakes it.
            self._queued.wait(_LIVE_SECONDS if self._background else None)

    def _may_go_on(self, job: Job, now: float) -> bool:
        """Return whether a thread may take the job's next sentence.

        A job past its deadline, or that has waited too long to begin, is cancelled. One far ahead of its readers is
        paused.
        """
        if job.stream.far_ahead and not job.background:
            self._pause(job)
            return False
        if now >= job.deadline:
            self.cancel(job, DeadlineError())
            return False
        try:
            if not (job.started or job.background):
                self.admission.check_wait(now - job.submitted)
        except OverloadedError as error:
            self.cancel(job, error)
            return False
        return True

    def _pause(self, job: Job) -> None:
        """Take no more sentences of the job until its readers have read on. Its deadline waits too."""
        job.paused = True
        self.admission.release(sum(job.work[job.started :]))
        gevent.spawn(self._resume, job)

    def _resume(self, job: Job) -> None:
        paused = time.monotonic()
        job.stream.wait_for_readers()
        if job.stream.ended:
            return
        job.paused = False
        job.deadline += time.monotonic() - paused
        self.admission.resume(sum(job.work[job.started :]))
        self._queue.append(job)
        self._queued.set()

    def _measure(self, job: Job, index: int, size: int, seconds: float) -> None:
        silent = not job.work[index]
        if not silent:
            self.cost.learn(job.work[index], seconds)
        audio = size / BYTES_PER_SAMPLE / self._sample_rate
        self._metrics.synthesis_seconds.inc(seconds)
        self._metrics.audio_seconds.inc(audio)
        if audio and not silent:
            self._metrics.real_time_factor.observe(seconds / audio)


def _synthesise(
    session: Session, job: Job, index: int, sample_rate: int, deliver: Callable[[bytes], None]
) -> tuple[bytes, int, float]:
    """Return the bytes not yet delivered, the size of the whole sentence in bytes, and the seconds it took.

    The first of several sentences is delivered chunk by chunk, because a client listens while the rest is synthesised.
    A single sentence stays whole, so that its response has a length.

    Runs on a native thread, where no metrics, logs or locks of the event loop may be used.
    """
    start, size = time.perf_counter(), 0
    sentence = job.sentences[index]
    samples: Iterable[Pcm] = ()
    if sentence.syllables and isinstance(session, AligningSession):
        job.alignments[index], samples = session.synthesise_aligned(sentence)
    elif sentence.syllables:
        samples = session.synthesise(sentence)
    chunks = pcm_bytes(samples, pause=sentence.pause, sample_rate=sample_rate, volume=sentence.delivery.volume)
    if index == 0 and len(job.sentences) > 1:
        for chunk in chunks:
            deliver(chunk)
            size += len(chunk)
    rest = b"".join(chunks)
    return rest, size + len(rest), time.perf_counter() - start
