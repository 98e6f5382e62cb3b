"""What each kind of task does. Every step may be repeated, also at the same time, by whoever gets the task again."""

import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

import gevent

from tts_server.engines import NothingToSayError
from tts_server.jobs import layout
from tts_server.jobs.events import Events
from tts_server.jobs.model import End, Failure, Job, JobName, time_of, to_json
from tts_server.jobs.planning.chapters import title_finder
from tts_server.jobs.planning.plan import (
    MAX_PLANS,
    PAGE_SEGMENTS,
    Plan,
    PlannedSegment,
    newest_plan,
    read_segments,
    write_plan,
)
from tts_server.jobs.planning.splitting import split
from tts_server.jobs.queue.tasks import Queue, QueueError, Task
from tts_server.jobs.records import Missing, Records
from tts_server.jobs.storage import NoObjectError, Storage, StorageError
from tts_server.jobs.submission import ACCEPT_SECONDS
from tts_server.jobs.texts import read_text
from tts_server.jobs.threads import Threads
from tts_server.jobs.work.in_hand import DeadlyError, InHand
from tts_server.jobs.work.joining import Joiner
from tts_server.jobs.work.segments import BrokenSegmentError, Speaker, Spoken, write_segment
from tts_server.observability.metrics import Metrics
from tts_server.synthesis.service import UnknownEmotionError, UnknownVoiceError
from tts_server.text.script import ScriptError

log = logging.getLogger(__name__)

# The event loop gets its turn after so many segments, which take about 2 ms to find.
_SEGMENTS_AT_ONCE = 8
_REMEMBERED = 32
# Of 2 MB each. While the storage fails, there are no more than tasks in hand.
_UNWRITTEN = 16
# More than there are jobs in progress: who is forgotten here waits for its voice from the beginning.
_REMEMBERED_OTHERS = 10_000
_EXCERPT_CHARACTERS = 40
_PROGRESS_EVENTS = 10
_SILENCE_SECONDS = 0.1
# About four minutes of audio, which take a second or two to join.
_SHORT_SEGMENTS = 8
_Item = TypeVar("_Item")


class JobFailedError(Exception):
    """The job can never succeed."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class OtherVoiceError(Exception):
    """The plan of the job is for another model or lexicon, which another process may have."""


class _JobEndedError(Exception):
    """The job has ended while its segment waited for its turn."""


class Steps:
    """Does tasks. All state is in the storage; what is remembered here only saves requests."""

    def __init__(
        self,
        *,
        storage: Storage,
        records: Records,
        queue: Queue,
        speaker: Speaker,
        threads: Threads,
        in_hand: InHand,
        events: Events,
        metrics: Metrics,
        patience: float = 0.0,
    ) -> None:
        """Leave jobs whose voice is another one to other processes for ``patience`` seconds. Then begin them again."""
        self._storage = storage
        self._records = records
        self._queue = queue
        self._speaker = speaker
        self._threads = threads
        self._in_hand = in_hand
        self._events = events
        self._metrics = metrics
        self._patience = patience
        self._others: OrderedDict[tuple[JobName, int], float] = OrderedDict()
        """Since when plans with another voice have been seen."""
        self._plans: OrderedDict[JobName, tuple[Plan, Missing]] = OrderedDict()
        self._unwritten: OrderedDict[str, Spoken] = OrderedDict()
        """What was spoken when the storage refused it, by its digest. Its task comes again."""

    def do(self, task: Task) -> None:
        """Do a task. Raises JobFailedError, StorageError, and what the engine raises."""
        job = self._records.job(task.job)
        if task.kind == "finish":
            self._finish(task.job, job)
        elif task.kind == "notify":
            self._notify(task.job, job)
        elif job is None:
            self._give_up(task.job)
        elif self._records.ended(task.job):
            self._queue.drop(task.job)
            if task.kind != "speak":  # of which there may be thousands
                self._queue.put([Task("finish", task.job)])
        elif task.kind == "split":
            self._split(job)
        elif task.kind == "speak":
            self._speak(job, task)
        else:
            self._join(job, task)

    def fail(self, name: JobName, code: str, message: str) -> None:
        """End a job that can never succeed. Raises StorageError."""
        log.warning("job failed", extra={"job": name.id, "code": code, "reason": message})
        self._end(name, End("failed", time.time(), failure=Failure(code, message)))
        self._queue.drop(name)
        self._queue.put([Task("finish", name)])

    def abandon(self, name: JobName) -> None:
        """Forget a job whose record or end cannot be read, so nobody can be told of it. Raises StorageError."""
        log.error("job abandoned: its objects are damaged", extra={"job": name.id})
        self._storage.delete([layout.open_job(name), layout.webhook(name)])

    def _end(self, name: JobName, end: End) -> bool:
        """End the job, unless it has ended or was removed. Return whether it ended like this."""
        if self._storage.size(layout.record(name)) is None:
            return False
        # A storage that answers with an error may have written the object all the same, and is asked again.
        created = self._storage.create(layout.end(name), to_json(end)) or self._records.end(name) == end
        if created:
            self._metrics.jobs.labels(end.outcome).inc()
        return created

    def _give_up(self, name: JobName) -> None:
        """Forget a job that does not exist: it was removed, or never accepted."""
        if time_of(name.id) < time.time() - ACCEPT_SECONDS:  # it was marked as open before it was accepted
            self._storage.delete([layout.open_job(name)])

    def _split(self, job: Job) -> None:
        """Make the plan unless there is one, and put what is missing into the queue."""
        name, sound = job.name, self._speaker.sound(job.options)
        plan = newest_plan(self._storage, name)
        if plan is None or plan.sound != sound:
            self._wait_for_its_voice(name, plan)
            number = plan.number + 1 if plan else 1
            if number > MAX_PLANS:
                raise JobFailedError("voice_changed", "The voice or the lexicon of the service changed too often.")
            self._queue.drop(name)  # the segments of an older plan
            options = job.options
            find = title_finder(options.chapters, options.chapter_marker)
            segments = _gently(split(read_text(self._storage, layout.text(name)), find, speed=options.speed))
            rate = self._speaker.sample_rate
            plan = write_plan(self._storage, name, number, segments, sound=sound, sample_rate=rate)
        if not plan.segments:
            raise JobFailedError("nothing_to_say", "The text contains nothing that can be pronounced.")
        self._events.accepted(job)
        done = self._records.done(name)
        self._remember(name, plan)
        ranges = list(_missing(done, plan, lambda: _gently(read_segments(self._storage, name, plan))))
        self._queue.put(
            [Task("speak", name, plan.number, *each) for each in ranges] or [Task("join", name, plan.number)]
        )

    def _speak(self, job: Job, task: Task) -> None:
        name = job.name
        plan, missing = self._plan(name, task.plan)
        if task.plan != plan.number or task.first >= plan.segments:
            return  # a newer plan has replaced it, or somebody else has sent it
        planned = self._records.page(name, plan, task.first).segments[task.first % PAGE_SEGMENTS]
        if self._storage.size(layout.segment(name, planned.digest)) is None:
            if self._speaker.sound(job.options) != plan.sound:
                self._wait_for_its_voice(name, plan)
                self._queue.put([Task("split", name)])
                return
            try:
                self._make(job, planned)
            except _JobEndedError:
                return
            self._metrics.job_segments.labels("made").inc()
        else:
            self._metrics.job_segments.labels("found").inc()
        missing.add(planned.digest)
        every = -(-plan.segments // _PROGRESS_EVENTS)
        if task.last % every == 0 and task.last < plan.segments:
            self._events.progressed(job, self._records.progress(name))
        if not missing.any():
            self._join_soon(job, Task("join", name, plan.number), plan)

    def _join_soon(self, job: Job, task: Task, plan: Plan) -> None:
        """Join a short job at once, so that it does not wait behind the joins of books."""
        if plan.segments <= _SHORT_SEGMENTS:
            try:
                self._join(job, task)
            except (StorageError, QueueError):
                raise
            except Exception:  # as a task of its own, it is tried a few times, and then fails the job
                log.exception("task failed", extra={"job": job.id, "task": task.kind})
            else:
                return
        self._queue.put([task])

    def _wait_for_its_voice(self, name: JobName, plan: Plan | None) -> None:
        """Raise :class:`OtherVoiceError` while another process may have the voice of a plan."""
        if plan is None:
            return
        now = time.monotonic()
        first = self._others.setdefault((name, plan.number), now)
        if len(self._others) > _REMEMBERED_OTHERS:
            self._others.popitem(last=False)
        if now - first < self._patience:
            raise OtherVoiceError

    def _make(self, job: Job, planned: PlannedSegment) -> None:
        spoken = self._unwritten.pop(planned.digest, None) or self._spoken(job, planned)
        rate, timed = self._speaker.sample_rate, job.options.subtitles is not None
        try:
            write_segment(self._storage, self._threads, job.name, planned, spoken, rate=rate, timed=timed)
        except StorageError:
            self._unwritten[planned.digest] = spoken
            if len(self._unwritten) > _UNWRITTEN:
                self._unwritten.popitem(last=False)
            raise

    def _spoken(self, job: Job, planned: PlannedSegment) -> Spoken:
        """Return the audio of a segment. Raises JobFailedError, _JobEndedError, and what the engine raises."""
        try:
            with self._in_hand.hold(planned.digest) as has_waited:
                # Another worker may have failed the job. What killed it would kill this process too.
                if has_waited and self._has_ended(job.name):
                    raise _JobEndedError
                return self._speaker.speak(planned.segment.text, job.options)
        except NothingToSayError:
            return Spoken(bytes(2 * round(_SILENCE_SECONDS * self._speaker.sample_rate)))
        except DeadlyError:
            raise JobFailedError(
                "engine_died", f"The engine died repeatedly while it spoke {_excerpt(planned)}."
            ) from None
        except (ScriptError, UnknownVoiceError, UnknownEmotionError) as error:
            raise JobFailedError("invalid_value", str(error)) from None

    def _has_ended(self, name: JobName) -> bool:
        """Return whether the job has ended, as far as the storage can tell: an error would clear a suspect."""
        try:
            return self._records.ended(name)
        except StorageError:
            return False

    def _join(self, job: Job, task: Task) -> None:
        name = job.name
        plan, _ = self._plan(name, task.plan)
        try:
            audio = Joiner(self._storage, self._threads, job, plan).join()
        except (NoObjectError, BrokenSegmentError) as error:
            # Somebody has removed or damaged a segment. It is made again.
            log.warning("segments are missing", extra={"job": name.id, "reason": str(error)})
            if isinstance(error, BrokenSegmentError):
                self._storage.delete([layout.segment(name, error.digest)])
            self._plans.pop(name, None)
            self._queue.put([Task("split", name)])
            return
        if self._end(name, End("completed", time.time(), audio)):
            self._metrics.key_audio_seconds.labels(name.tenant).inc(audio.seconds)
        else:
            files = [audio.file, audio.subtitles] if audio.subtitles else [audio.file]
            self._storage.delete(layout.file(name, each) for each in files)
        self._queue.put([Task("finish", name)])

    def _finish(self, name: JobName, job: Job | None) -> None:
        end = self._records.end(name)
        if job is not None and end is None:
            return  # it has not ended
        if job is not None and end is not None:
            audio = end.audio
            kept = {layout.record(name), layout.end(name), layout.published(name)}
            kept |= {layout.file(name, each) for each in (audio.file, audio.subtitles) if each} if audio else set()
            found = (each.name for each in self._storage.walk(layout.folder(name)))
            self._storage.delete(each for each in found if each not in kept)
            if self._storage.size(layout.published(name)) is None:
                self._events.ended(job, end)
                if job.options.webhook:
                    self._storage.write(layout.webhook(name), b"")
                self._storage.write(layout.published(name), b"")
            if job.options.webhook and self._storage.size(layout.webhook(name)) is not None:
                self._queue.put([Task("notify", name)])
        self._storage.delete([layout.open_job(name)])
        self._plans.pop(name, None)

    def _notify(self, name: JobName, job: Job | None) -> None:
        """Call the webhook, unless that has been done. Raises WebhookError."""
        end = self._records.end(name)
        if job is not None and end is not None and self._storage.size(layout.webhook(name)) is not None:
            self._events.call_webhook(job, end)
        self._storage.delete([layout.webhook(name)])

    def _plan(self, name: JobName, number: int) -> tuple[Plan, Missing]:
        """Return the newest plan, at least as new as the one with this number."""
        remembered = self._plans.get(name)
        if remembered is None or remembered[0].number < number:
            plan = newest_plan(self._storage, name)
            if plan is None:
                raise NoObjectError
            remembered = self._remember(name, plan)
        return remembered

    def _remember(self, name: JobName, plan: Plan) -> tuple[Plan, Missing]:
        remembered = self._plans[name] = plan, Missing(self._storage, self._records, name, plan)
        if len(self._plans) > _REMEMBERED:
            self._plans.popitem(last=False)
        return remembered


def _gently(items: Iterable[_Item]) -> Iterator[_Item]:
    """Yield the items, and let others run in between."""
    for number, item in enumerate(items):
        if number % _SEGMENTS_AT_ONCE == 0:
            gevent.sleep(0)
        yield item


def _missing(done: set[str], plan: Plan, segments: Callable[[], Iterable[PlannedSegment]]) -> Iterator[tuple[int, int]]:
    """Yield the ranges of segments that are not done."""
    if not done:
        yield 0, plan.segments
        return
    first = None
    for number, planned in enumerate(segments()):
        if planned.digest in done:
            if first is not None:
                yield first, number
            first = None
        elif first is None:
            first = number
    if first is not None:
        yield first, plan.segments


def _excerpt(planned: PlannedSegment) -> str:
    return repr(planned.segment.text[:_EXCERPT_CHARACTERS] + "…")
