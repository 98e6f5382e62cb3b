"""Jobs from a topic, for teams that send messages and no HTTP requests."""

import logging
from collections.abc import Callable

import gevent
from confluent_kafka import Message

from tts_server.jobs.kafka.client import Brokers
from tts_server.jobs.kafka.messages import MAX_BYTES, Topics
from tts_server.jobs.kafka.producer import IDEMPOTENCY_KEY, KafkaProducer
from tts_server.jobs.kafka.receiver import Place, Receiver
from tts_server.jobs.queue.tasks import GiveUp, QueueError, RequestRefusedError, TryLaterError
from tts_server.jobs.storage import StorageError, pause_after

log = logging.getLogger(__name__)

_MAX_RECEIVED = 200
# Each may have a megabyte, of which 64 KiB are allowed.
_POLL_MESSAGES = 50
# Requests that wait for longer than about half a minute leave their place to others.
_FAILURES_HERE = 5
_MAX_KEY_BYTES = 512
Accept = Callable[[bytes, str], None]
"""Accepts the job of a message. The second argument is its idempotency key, unless the message has one of its own.

Raises RequestRefusedError, TryLaterError, StorageError and QueueError.
"""


class KafkaRequests:
    """Accepts the jobs of the request topic: each once, because its place is its idempotency key."""

    def __init__(
        self, brokers: Brokers, topics: Topics, producer: KafkaProducer, accept: Accept, *, group: str, instance: str
    ) -> None:
        self._producer = producer
        self._accept = accept
        self._receiver = Receiver(
            brokers,
            [topics.requests],
            group=group,
            instance=instance,
            limit=_MAX_RECEIVED,
            at_once=_POLL_MESSAGES,
            receive=lambda place, message: gevent.spawn(self._handle, place, message),
        )

    def start(self, give_up: GiveUp) -> None:
        """Begin to receive. ``give_up`` gets the reason if that ends for good."""
        self._receiver.start(give_up)

    def stop(self) -> None:
        """Leave what is not accepted to others."""
        self._receiver.stop()

    def _handle(self, place: Place, message: Message) -> None:
        """Accept a job, again while that may succeed later. Others are accepted meanwhile."""
        offset, failures, key = message.offset() or 0, 0, _key(place, message)
        where = {"partition": place[1], "offset": offset}
        while True:
            try:
                self._accept(_bounded(message), key)
            except RequestRefusedError as refused:
                log.warning("request sent to the dead-letter topic", extra={**where, "reason": str(refused)})
                self._producer.dead_letter_until_it_works(message, str(refused))
                break
            except (TryLaterError, StorageError, QueueError) as error:
                log.warning("request waits", extra={**where, "reason": str(error)})
                # A tenant that has used its quota must not hold up the requests of others.
                if isinstance(error, TryLaterError) and failures >= _FAILURES_HERE and self._put_last(message, key):
                    break
                gevent.sleep(pause_after(2 + failures))
                failures += 1
            except Exception:
                log.exception("request failed", extra=where)
                self._producer.dead_letter_until_it_works(message, "Internal error. See the log of the worker.")
                break
            else:
                break
        self._receiver.finish(place, offset)

    def _put_last(self, message: Message, key: str) -> bool:
        """Put a request behind all others. Return whether that was possible: the user may lack the right."""
        try:
            self._producer.put_last(message, key)
        except QueueError as error:
            log.warning("kafka failed", extra={"reason": str(error)})
            return False
        return True


def _key(place: Place, message: Message) -> str:
    """Return the idempotency key of a message: the one that it was put last with, or its place and time.

    With the time, because a topic that is created again begins with the same places.
    """
    try:
        value = dict(message.headers() or ()).get(IDEMPOTENCY_KEY)
    except (SystemError, ValueError):  # one has a name that is not UTF-8
        value = None
    if isinstance(value, bytes) and 0 < len(value) <= _MAX_KEY_BYTES:
        return value.decode(errors="replace")
    return f"kafka:{place[0]}:{place[1]}:{message.offset()}:{message.timestamp()[1]}"


def _bounded(message: Message) -> bytes:
    data = message.value() or b""
    if len(data) > MAX_BYTES:
        raise RequestRefusedError(
            f"The message has {len(data)} bytes, but at most {MAX_BYTES} can be. Put the text into the storage, and "
            "name it with input_file."
        )
    return data
