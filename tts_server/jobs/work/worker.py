"""The loop that takes tasks from the queue and does them."""

import logging

import gevent

from tts_server.engines import BackendBusyError, BackendError
from tts_server.jobs.model import JobName
from tts_server.jobs.planning.plan import BrokenPlanError
from tts_server.jobs.queue.tasks import Delivery, Kind, Queue, QueueError
from tts_server.jobs.records import DamagedRecordError
from tts_server.jobs.storage import NoObjectError, StorageError, pause_after
from tts_server.jobs.webhook import WebhookError
from tts_server.jobs.work.steps import JobFailedError, OtherVoiceError, Steps
from tts_server.observability.metrics import Metrics
from tts_server.synthesis.stream import DeadlineError

log = logging.getLogger(__name__)

MAX_FAILURES = 4
"""After so many failures of one task, its job fails."""
_PASS_ON_SECONDS = 5.0
# A task that waits for longer is left to recovery. In Kafka, no offset behind a task that waits can be committed.
_MAX_WAIT_SECONDS = 600.0
JOINS = 4
"""So many files are joined at the same time. That of a book takes minutes, for which a short text must not wait."""
# A webhook that does not answer takes 20 s.
_OTHERS: tuple[tuple[Kind, int], ...] = (("split", 2), ("join", JOINS), ("finish", 4), ("notify", 8))
# What is done for a job that has ended, and cannot fail any more.
_LAST: tuple[Kind, ...] = ("finish", "notify")


class Worker:
    """Does tasks, a few at a time. Each kind has greenlets of its own, so that none holds up the speaking."""

    def __init__(self, queue: Queue, steps: Steps, metrics: Metrics, *, segments: int) -> None:
        """Speak up to ``segments`` segments at the same time."""
        self._queue = queue
        self._steps = steps
        self._segments = segments
        self._metrics = metrics
        self._greenlets: list[gevent.Greenlet] = []
        self._busy: set[gevent.Greenlet] = set()
        self._stopping = False
        self._storage_failures = 0

    def start(self) -> None:
        """Begin to take tasks."""
        kinds: tuple[tuple[Kind, int], ...] = (*_OTHERS, ("speak", self._segments))
        self._greenlets = [gevent.spawn(self._run, kind) for kind, count in kinds for _ in range(count)]

    def stop(self, patience: float = 0.0) -> int:
        """Take no more tasks, and finish those in hand within ``patience`` seconds.

        Return how many are not done by then. They will be delivered again.
        """
        self._stopping = True
        gevent.killall([each for each in self._greenlets if each not in self._busy])
        gevent.joinall(list(self._busy), timeout=patience)
        left = len(self._busy)
        gevent.killall(list(self._busy))
        return left

    def _run(self, kind: Kind) -> None:
        itself = gevent.getcurrent()
        while not self._stopping:
            delivery = self._queue.take((kind,))
            self._busy.add(itself)
            try:
                self._do(delivery)
            except Exception:  # a greenlet that ends does no more tasks
                log.exception("task failed", extra={"job": delivery.task.job.id, "task": delivery.task.kind})
                self._queue.retry(delivery, pause_after(delivery.failures))
            finally:
                self._busy.discard(itself)

    def _do(self, delivery: Delivery) -> None:
        task = delivery.task
        try:
            self._steps.do(task)
        except (StorageError, QueueError) as error:
            if isinstance(error, DamagedRecordError):
                self._damaged(delivery, error)
            else:
                self._storage_failed(delivery, error)
        except (DeadlineError, BackendError) as error:
            self._not_spoken(delivery, error)
        except OtherVoiceError:
            self._queue.pass_on(delivery, _PASS_ON_SECONDS)
        except JobFailedError as error:
            self._fail(delivery, error.code, str(error))
        except WebhookError as error:
            self._webhook_failed(delivery, error)
        except (NoObjectError, BrokenPlanError) as error:
            self._failed(delivery, "internal_error", f"Objects of the job are missing or damaged. {error}".strip())
        except Exception:
            log.exception("task failed", extra={"job": task.job.id, "task": task.kind})
            what = f"The engine cannot speak segment {task.first + 1}." if task.kind == "speak" else "Internal error."
            self._failed(delivery, "internal_error", what)
        else:
            self._storage_failures = 0
            self._queue.done(delivery)

    def _not_spoken(self, delivery: Delivery, error: DeadlineError | BackendError) -> None:
        if isinstance(error, DeadlineError):  # live requests had all threads
            self._queue.retry(delivery, 1.0, failed=False)
        elif error.away or isinstance(error, BackendBusyError):  # whatever the text: the job is not to blame
            self._queue.retry(delivery, error.retry_after, failed=False)
        else:
            what = f"The backend cannot speak segment {delivery.task.first + 1}."
            self._failed(delivery, "backend_unavailable", what)

    def _storage_failed(self, delivery: Delivery, error: StorageError | QueueError) -> None:
        pause = pause_after(self._storage_failures)
        self._storage_failures += 1
        self._metrics.job_storage_failures.inc()
        log.warning(
            "storage or queue failed", extra={"job": delivery.task.job.id, "reason": str(error), "retry_after": pause}
        )
        self._queue.retry(delivery, pause, failed=False)
        # Whatever else waits would fail as well.
        gevent.sleep(pause)

    def _webhook_failed(self, delivery: Delivery, error: WebhookError) -> None:
        log.warning("webhook failed", extra={"job": delivery.task.job.id, "reason": str(error)})
        if error.retry_after <= _MAX_WAIT_SECONDS:
            self._queue.retry(delivery, error.retry_after)
        else:
            self._queue.done(delivery)

    def _damaged(self, delivery: Delivery, error: DamagedRecordError) -> None:
        if delivery.task.kind not in _LAST:
            self._failed(delivery, "internal_error", str(error))
            return
        try:
            self._steps.abandon(delivery.task.job)
        except StorageError as failed:
            self._storage_failed(delivery, failed)
        else:
            self._queue.done(delivery)

    def _failed(self, delivery: Delivery, code: str, message: str) -> None:
        if delivery.failures + 1 < MAX_FAILURES or delivery.task.kind in _LAST:
            self._queue.retry(delivery, pause_after(2 + delivery.failures))
        else:
            self._fail(delivery, code, message)

    def _fail(self, delivery: Delivery, code: str, message: str) -> None:
        name: JobName = delivery.task.job
        try:
            self._steps.fail(name, code, message)
        except (StorageError, QueueError) as error:
            self._storage_failed(delivery, error)
        else:
            self._queue.done(delivery)
