"""Synthesis on native threads, so that the event loop never waits for the CPU."""

import time
from collections import deque
from collections.abc import Iterator, Sequence

from gevent.event import AsyncResult
from gevent.threadpool import ThreadPool

from tts_server.admission import Admission, CostModel
from tts_server.engines import Sentence, Session
from tts_server.engines.protocol import Pcm
from tts_server.metrics import Metrics


class DeadlineError(Exception):
    """The time allowed for the request passed before its work was done."""


class Job:
    """One admitted text. ``deadline`` is monotonic time, and may be moved back while the job runs."""

    def __init__(
        self, sentences: Sequence[Sentence], *, voice: str, speed: float, emotion: str, deadline: float
    ) -> None:
        self.sentences = sentences
        self.voice = voice
        self.speed = speed
        self.emotion = emotion
        self.deadline = deadline


class Scheduler:
    """As many threads as sessions. Requests take turns sentence by sentence, so a short one passes a long one."""

    def __init__(self, sessions: Sequence[Session], *, queue_seconds: float, metrics: Metrics) -> None:
        self._free = deque(sessions)
        # Never asked for more threads than it has: requests queue for a session, where their deadline counts.
        self._pool = ThreadPool(len(sessions))
        self._queue: deque[AsyncResult[Session]] = deque()
        self._metrics = metrics
        self.cost = CostModel()
        self.admission = Admission(threads=len(sessions), queue_seconds=queue_seconds)

    @property
    def waiting(self) -> int:
        """How many sentences wait for a thread."""
        return len(self._queue)

    def admit(self, job: Job) -> Iterator[tuple[Sentence, Pcm]]:
        """Let the job in at once, or raise OverloadedError; what it says comes out as it is iterated.

        Iterating raises :class:`DeadlineError`. Closing the iterator gives up the rest.
        """
        estimates = [self.cost.estimate(each.syllables, job.speed) for each in job.sentences]
        self.admission.admit(sum(estimates))
        return self._say(job, estimates)

    def _say(self, job: Job, estimates: list[float]) -> Iterator[tuple[Sentence, Pcm]]:
        remaining = sum(estimates)
        try:
            for sentence, estimate in zip(job.sentences, estimates, strict=True):
                yield sentence, self._run(job, sentence)
                self.admission.release(estimate)
                remaining -= estimate
        finally:
            self.admission.release(remaining)

    def _run(self, job: Job, sentence: Sentence) -> Pcm:
        queued = time.monotonic()
        session = self._take(job)
        self._metrics.queue_wait_seconds.observe(time.monotonic() - queued)
        result = self._pool.spawn(_synthesise, session, sentence, job)
        # Given back when the thread is done with it, also if nobody waits for the result any more.
        result.rawlink(lambda _: self._give_back(session))
        said: tuple[Pcm, float] = result.get()
        pcm, seconds = said
        self.cost.learn(sentence.syllables, job.speed, seconds)
        self._metrics.synthesis_seconds.inc(seconds)
        return pcm

    def _take(self, job: Job) -> Session:
        """Wait for a session, strictly in turn: not a semaphore, where who has just run is first to run again."""
        if self._free:
            return self._free.popleft()
        turn: AsyncResult[Session] = AsyncResult()
        self._queue.append(turn)
        try:
            # The deadline may move while we wait.
            while not turn.ready() and (left := job.deadline - time.monotonic()) > 0:
                turn.wait(timeout=left)
            in_time = turn.ready()
        except BaseException:
            self._leave(turn)
            raise
        if not in_time:
            self._leave(turn)
            raise DeadlineError
        session: Session = turn.get()
        return session

    def _leave(self, turn: "AsyncResult[Session]") -> None:
        if turn.ready():
            self._give_back(turn.get())
        else:
            self._queue.remove(turn)

    def _give_back(self, session: Session) -> None:
        if self._queue:
            self._queue.popleft().set(session)
        else:
            self._free.append(session)


def _synthesise(session: Session, sentence: Sentence, job: Job) -> tuple[Pcm, float]:
    """Runs on a native thread: no metrics, logs or locks of the event loop in here."""
    start = time.perf_counter()
    pcm = session.synthesise(sentence, voice=job.voice, speed=job.speed, emotion=job.emotion)
    return pcm, time.perf_counter() - start
