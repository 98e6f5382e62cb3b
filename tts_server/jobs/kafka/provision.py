"""The topics, before the first message: whether they exist, and the creation of those that do not."""

import logging
from collections.abc import Sequence

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, NewTopic

from tts_server.jobs.kafka.client import Brokers
from tts_server.jobs.kafka.messages import Topics
from tts_server.jobs.kafka.receiver import client
from tts_server.jobs.threads import Threads

log = logging.getLogger(__name__)

RETENTION_MS = 30 * 24 * 3600 * 1000
"""How long messages are kept: longer than any job should wait. A task that is removed before is lost."""
_REPLICAS = 3
_SECONDS = 10.0


class Provision:
    """Creates the topics that are missing."""

    def __init__(self, brokers: Brokers, topics: Topics, *, partitions: int) -> None:
        """``partitions`` is how many new topics get: at most so many workers speak at once."""
        self._brokers = brokers
        self._topics = topics
        self._partitions = partitions
        self._threads = Threads(1)
        self._error = ""

    def problem(self) -> str:
        """Return what is wrong with brokers or topics; empty if nothing is any more."""
        found: str = self._threads.call(self._problem)
        return found

    def _problem(self) -> str:
        self._error = ""
        admin = client(AdminClient, self._brokers.config(self._note))
        try:
            missing, brokers = self._missing(admin)
            if not missing:
                return ""
            reason = self._create(admin, missing, replicas=min(_REPLICAS, brokers))
            missing, _ = self._missing(admin)
        except KafkaException as error:
            admin.poll(0)  # calls _note, whose text says more
            return f"The brokers (TTS_KAFKA_BOOTSTRAP_SERVERS) cannot be reached: {self._error or error.args[0].str()}"
        if not missing:
            return ""
        return refusal(self._topics, missing, self._partitions, reason, self._brokers.bootstrap_servers)

    def _missing(self, admin: AdminClient) -> tuple[list[str], int]:
        """Return the topics that do not exist, or that the user may not see, and how many brokers there are."""
        cluster = admin.list_topics(timeout=_SECONDS)
        found = cluster.topics
        missing = [name for name in self._topics.all if name not in found or found[name].error]
        return missing, len(cluster.brokers)

    def _create(self, admin: AdminClient, names: Sequence[str], *, replicas: int) -> str:
        """Create topics, and return why one could not be created, or an empty text."""
        config = {"retention.ms": str(RETENTION_MS)}
        wanted = [
            NewTopic(name, num_partitions=self._partitions, replication_factor=replicas, config=config)
            for name in names
        ]
        reason = ""
        for name, answer in admin.create_topics(wanted, request_timeout=_SECONDS).items():
            try:
                answer.result(2 * _SECONDS)
            except KafkaException as error:
                refused: KafkaError = error.args[0]
                if refused.code() != KafkaError.TOPIC_ALREADY_EXISTS:  # another process was faster
                    reason = refused.str()
            except TimeoutError:
                reason = "the brokers do not answer"
            else:
                log.info("topic created", extra={"topic": name, "partitions": self._partitions, "replicas": replicas})
        return reason

    def _note(self, error: KafkaError) -> None:
        if error.code() != KafkaError._ALL_BROKERS_DOWN:  # noqa: SLF001 - librdkafka's name; why is in another error
            self._error = error.str()


def refusal(topics: Topics, missing: Sequence[str], partitions: int, reason: str, servers: str) -> str:
    """Return what to tell people about topics that do not exist and cannot be created, for this reason."""
    names = " ".join(name.removeprefix(f"{topics.prefix}.") for name in missing)
    return (
        f"These topics do not exist, or the user may not see them: {', '.join(missing)}. "
        f"They cannot be created: {reason or 'they stay invisible'}. Correct TTS_KAFKA_TOPIC_PREFIX, give the user the "
        f"right to create topics that begin with {topics.prefix}, or create them as someone who may: "
        f"for topic in {names}; do kafka-topics.sh --bootstrap-server {servers.partition(',')[0]} --create "
        f"--topic {topics.prefix}.$topic --partitions {partitions} --config retention.ms={RETENTION_MS}; done"
    )
