"""The parts of jobs in one process: storage, queue, workers, recovery and retention."""

import logging
from collections.abc import Callable
from pathlib import Path

import gevent

from tts_server.jobs import layout
from tts_server.jobs.model import End, Job, JobName, is_id
from tts_server.jobs.queue.local import LocalQueue
from tts_server.jobs.queue.tasks import Queue, Task
from tts_server.jobs.records import Records
from tts_server.jobs.retention import Retention
from tts_server.jobs.storage import Storage, StorageError, open_storage, pause_after
from tts_server.jobs.submission import Submissions
from tts_server.jobs.threads import Threads
from tts_server.jobs.webhook import Webhooks
from tts_server.jobs.work.in_hand import InHand
from tts_server.jobs.work.segments import ServiceSpeaker
from tts_server.jobs.work.steps import Steps
from tts_server.jobs.work.worker import Worker
from tts_server.observability.metrics import Metrics
from tts_server.process.lifecycle import Lifecycle
from tts_server.settings import Settings
from tts_server.synthesis.service import SpeechService

log = logging.getLogger(__name__)

_SWEEP_SECONDS = 600.0
_POLL_SECONDS = 0.2
Describe = Callable[[Job, End], dict[str, object]]
"""From a job that has ended to the event for its webhook."""


class Jobs:
    """All that the API needs for jobs. They are spoken once :meth:`start` has been called."""

    def __init__(
        self, settings: Settings, service: SpeechService, metrics: Metrics, *, threads: int, model: str
    ) -> None:
        """Raises :class:`~tts_server.jobs.storage.StorageAddressError`."""
        self.storage: Storage = open_storage(settings.jobs_storage)
        self.records = Records(self.storage)
        queue = LocalQueue()
        self.queue: Queue = queue
        self.metrics = metrics
        metrics.job_segments_waiting.set_function(lambda: queue.segments_waiting)
        self.webhooks = Webhooks(
            settings.jobs_webhook_hosts, settings.jobs_webhook_secret, private=settings.jobs_webhook_private == "yes"
        )
        self.submissions = Submissions(
            self.storage, self.records, self.queue, model=model, max_open=settings.jobs_max_open
        )
        self.retention = Retention(self.storage, self.records, keep_seconds=settings.jobs_keep_seconds)
        self._service = service
        self._threads = threads

    def start(self, folder: Path, lifecycle: Lifecycle, describe: Describe) -> None:
        """Begin to speak, and to remove old jobs. ``folder`` outlives the process, see :class:`InHand`."""

        def notify(job: Job, end: End) -> None:
            if job.options.webhook:
                self.webhooks.send(job.options.webhook, job.id, describe(job, end), since=end.at)

        steps = Steps(
            storage=self.storage,
            records=self.records,
            queue=self.queue,
            speaker=ServiceSpeaker(self._service),
            threads=Threads(2, nice=True),
            in_hand=InHand(folder),
            notify=notify,
            metrics=self.metrics,
        )
        # One more than there are threads, so that none waits for the storage.
        worker = Worker(self.queue, steps, self.metrics, segments=self._threads + 1)
        worker.start()
        gevent.spawn(_persistently, "recover", lambda: recover(self.storage, self.queue))
        gevent.spawn(self._sweep)
        gevent.spawn(_stop_in_time, lifecycle, worker.stop)

    def _sweep(self) -> None:
        while True:
            _persistently("remove old jobs", self.retention.sweep)
            gevent.sleep(_SWEEP_SECONDS)


def recover(storage: Storage, queue: Queue) -> int:
    """Put all jobs with something left to do into the queue. Return how many these are. Raises StorageError."""
    names = [entry.name.split("/")[1:] for entry in storage.walk(layout.OPEN)]
    tasks = [Task("split", JobName(*each)) for each in sorted(names) if len(each) == 2 and is_id(each[1])]  # noqa: PLR2004 - tenant and id
    queue.put(tasks)
    if tasks:
        log.info("jobs go on", extra={"jobs": len(tasks)})
    return len(tasks)


def _persistently(what: str, call: Callable[[], object]) -> None:
    """Do something, again while the storage fails."""
    failures = 0
    while True:
        try:
            call()
        except StorageError as error:
            log.warning("cannot %s", what, extra={"reason": str(error)})
            gevent.sleep(pause_after(failures))
            failures += 1
        else:
            return


def _stop_in_time(lifecycle: Lifecycle, stop: Callable[[], None]) -> None:
    while not lifecycle.stopping:
        gevent.sleep(_POLL_SECONDS)
    stop()
