"""The parts of jobs in one process: storage, queue, workers, recovery and retention."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import gevent

from tts_server.jobs.events import Describe, Events, Publish
from tts_server.jobs.planning.splitting import TARGET_SYLLABLES
from tts_server.jobs.queue.local import LocalQueue
from tts_server.jobs.queue.tasks import GiveUp, Queue, QueueError, Sender
from tts_server.jobs.records import Records
from tts_server.jobs.recovery import SWEEP_SECONDS, recover, recover_lost
from tts_server.jobs.retention import Retention
from tts_server.jobs.start_check import storage_problem, wait_until_usable
from tts_server.jobs.storage import Storage, StorageError, open_storage, pause_after
from tts_server.jobs.submission import Submissions
from tts_server.jobs.threads import Threads
from tts_server.jobs.webhook import Webhooks
from tts_server.jobs.work.in_hand import InHand
from tts_server.jobs.work.segments import ServiceSpeaker
from tts_server.jobs.work.steps import Steps
from tts_server.jobs.work.worker import JOINS, Worker
from tts_server.observability.metrics import Metrics
from tts_server.process.lifecycle import BEFORE_EXIT_SECONDS, Lifecycle
from tts_server.settings import Settings
from tts_server.synthesis.service import SpeechService

if TYPE_CHECKING:
    from tts_server.jobs.kafka.client import Brokers

log = logging.getLogger(__name__)

_POLL_SECONDS = 0.2
# Brokers that are away must not keep the process.
_STOP_SECONDS = 10.0
# What a worker has in hand when it is to stop takes seconds, unless it is the file of a book.
_FINISH_SECONDS = BEFORE_EXIT_SECONDS - _STOP_SECONDS
# A rollout of the workers takes minutes, in which some have the old voice and some the new one.
_PATIENCE_SECONDS = 600.0


class Jobs:
    """All that the API needs for jobs. They are spoken once :meth:`start` has been called."""

    def __init__(
        self, settings: Settings, service: SpeechService, metrics: Metrics, *, threads: int, model: str, work: bool
    ) -> None:
        """With Kafka, only a process that is to ``work`` speaks. Without, the only process speaks and takes jobs.

        Raises :class:`~tts_server.jobs.storage.StorageAddressError`.
        """
        self.storage: Storage = open_storage(settings.jobs_storage, ca_file=settings.jobs_ca_file)
        self.records = Records(self.storage)
        self.metrics = metrics
        self.queue, self._tasks, self._publish = _queue(settings, work=work)
        self.webhooks = Webhooks(
            settings.jobs_webhook_hosts, settings.jobs_webhook_secret, private=settings.jobs_webhook_private == "yes"
        )
        self.submissions = Submissions(
            self.storage, self.records, self.queue, model=model, max_open=settings.jobs_max_open
        )
        self.retention = Retention(self.storage, self.records, keep_seconds=settings.jobs_keep_seconds)
        self._service = service
        self._settings = settings
        self._threads = threads

    def start(
        self,
        folder: Path,
        lifecycle: Lifecycle,
        describe: Describe,
        accept: Callable[[bytes, str], None],
        fail: Callable[[str], object],
    ) -> None:
        """Begin to speak, to accept jobs from Kafka, and to remove old ones.

        ``folder`` outlives the process, see :class:`InHand`. ``accept`` accepts the job of a message.
        ``fail`` ends the process for a reason. A worker raises
        :class:`~tts_server.jobs.start_check.UnusableError` if storage or brokers cannot be used for a minute.
        """
        if self._tasks and not isinstance(self.queue, LocalQueue):
            queue = self._tasks
            wait_until_usable(lambda: storage_problem(self.storage) or queue.problem())
        if self._tasks:
            worker = self._work(self._tasks, folder, lifecycle, describe)

            def give_up(reason: str) -> None:
                worker.stop()  # what is in hand is not to blame
                fail(reason)

            self._tasks.start(give_up)
            worker.start()
            self._take_requests(lifecycle, accept, give_up)
        if not self._tasks:
            gevent.spawn(self._measure)
        if isinstance(self.queue, LocalQueue):
            gevent.spawn(_persistently, "recover", lambda: recover(self.storage, self.queue))
        gevent.spawn(self._sweep)

    def _work(self, queue: Queue, folder: Path, lifecycle: Lifecycle, describe: Describe) -> Worker:
        steps = Steps(
            storage=self.storage,
            records=self.records,
            queue=queue,
            speaker=ServiceSpeaker(self._service),
            # One for each join, so that segments do not wait for them. Only in a server do requests come first.
            threads=Threads(JOINS + 2, nice=isinstance(queue, LocalQueue)),
            in_hand=InHand(folder),
            events=Events(describe, publish=self._publish, call=self.webhooks.send),
            metrics=self.metrics,
            patience=0.0 if isinstance(queue, LocalQueue) else _PATIENCE_SECONDS,
        )
        # One more than there are threads, so that none waits for the storage.
        worker = Worker(queue, steps, self.metrics, segments=self._threads + 1)
        self.metrics.job_segments_waiting.set_function(lambda: queue.segments_waiting)

        def stop() -> None:
            left = worker.stop(_FINISH_SECONDS)
            queue.stop()
            log.info("no more jobs are taken", extra={"handed_back": left})

        _at_the_end(lifecycle, stop)
        return worker

    def _take_requests(self, lifecycle: Lifecycle, accept: Callable[[bytes, str], None], give_up: GiveUp) -> None:
        if isinstance(self.queue, LocalQueue):
            return
        from tts_server.jobs.kafka.messages import Topics  # noqa: PLC0415 - librdkafka, only where it is needed
        from tts_server.jobs.kafka.producer import KafkaProducer  # noqa: PLC0415 - see above
        from tts_server.jobs.kafka.requests import KafkaRequests  # noqa: PLC0415 - see above

        settings, brokers = self._settings, _brokers(self._settings)
        topics = Topics(settings.kafka_topic_prefix)
        requests = KafkaRequests(
            brokers,
            topics,
            KafkaProducer(brokers, topics),
            accept,
            group=_requests_group(settings),
            instance=settings.kafka_instance,
        )
        requests.start(give_up)
        _at_the_end(lifecycle, requests.stop)

    def _measure(self) -> None:
        """Tell in a metric how much waits for workers, of which there may be none."""
        from tts_server.jobs.kafka.messages import Topics  # noqa: PLC0415 - librdkafka, only where it is needed
        from tts_server.jobs.kafka.provision import Provision  # noqa: PLC0415 - see above
        from tts_server.jobs.kafka.waiting import Waiting, measure_forever  # noqa: PLC0415 - see above

        settings, brokers = self._settings, _brokers(self._settings)
        topics, group = Topics(settings.kafka_topic_prefix), _group(settings)
        measure_forever(
            Provision(brokers, topics, partitions=settings.kafka_partitions).problem,
            (
                Waiting(brokers, topics.tasks, group=group),
                Waiting(brokers, [topics.requests], group=_requests_group(settings)),
            ),
            seconds_each=lambda: TARGET_SYLLABLES * self._service.seconds_per_syllable,
            tell=self.metrics.set_job_waiting_seconds,
        )

    def _sweep(self) -> None:
        while True:
            _persistently("remove old jobs", self.retention.sweep)
            _persistently("recover", self._recover_lost)
            gevent.sleep(SWEEP_SECONDS)

    def _recover_lost(self) -> None:
        received = self._tasks.received() if self._tasks else None
        recover_lost(self.storage, self.records, self.queue, received=received)


def _queue(settings: Settings, *, work: bool) -> tuple[Sender, Queue | None, Publish | None]:
    """Return where tasks are put, where this process takes them from, if it does, and where events go, if they do."""
    if not settings.kafka_bootstrap_servers:
        local = LocalQueue()
        return local, local, None
    from tts_server.jobs.kafka.messages import Topics  # noqa: PLC0415 - librdkafka, only where it is needed
    from tts_server.jobs.kafka.producer import KafkaProducer  # noqa: PLC0415 - see above
    from tts_server.jobs.kafka.queue import KafkaQueue  # noqa: PLC0415 - see above

    topics = Topics(settings.kafka_topic_prefix)
    if not work:
        return KafkaProducer(_brokers(settings), topics), None, None
    queue = KafkaQueue(
        _brokers(settings),
        topics,
        group=_group(settings),
        instance=settings.kafka_instance,
        partitions=settings.kafka_partitions,
    )
    return queue, queue, queue.publish


def _group(settings: Settings) -> str:
    return settings.kafka_group or f"{settings.kafka_topic_prefix}.workers"


def _requests_group(settings: Settings) -> str:
    return f"{_group(settings)}.requests"


def _brokers(settings: Settings) -> "Brokers":
    from tts_server.jobs.kafka.client import Brokers  # noqa: PLC0415 - see above

    return Brokers(
        bootstrap_servers=settings.kafka_bootstrap_servers,
        security_protocol=settings.kafka_security_protocol,
        ca_file=settings.kafka_ca_file,
        sasl_mechanism=settings.kafka_sasl_mechanism,
        username=settings.kafka_username,
        password=settings.kafka_password,
    )


def _at_the_end(lifecycle: Lifecycle, stop: Callable[[], None]) -> None:
    """Stop on SIGTERM, while requests are finished, and keep the process until that is done."""

    def wait() -> None:
        while not lifecycle.stopping:
            gevent.sleep(_POLL_SECONDS)
        stop()

    stopping = gevent.spawn(wait)
    lifecycle.before_exit(lambda: stopping.join(BEFORE_EXIT_SECONDS))


def _persistently(what: str, call: Callable[[], object]) -> None:
    """Do something, again while the storage or the queue fails. Whatever else fails is left to the next time."""
    failures = 0
    while True:
        try:
            call()
        except (StorageError, QueueError) as error:
            log.warning("cannot %s", what, extra={"reason": str(error)})
            gevent.sleep(pause_after(failures))
            failures += 1
        except Exception:  # the greenlet would end, and never do it again
            log.exception("cannot %s", what)
            return
        else:
            return
