"""Sound that any of the service's servers has made, in Redis. Where Redis is slow or down, it is as if empty."""

import logging
import time
from collections.abc import Callable

import gevent
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from tts_server.cache.redis_entries import LARGEST_BYTES, Entries
from tts_server.observability.metrics import Metrics

log = logging.getLogger(__name__)

# A hit must cost less than synthesis does, and a dead Redis next to nothing.
_CONNECT_SECONDS = 0.05
_ANSWER_SECONDS = 0.1
_CONNECTIONS = 16
_WRITES = 32
_FAILURES = 3
_PAUSE_SECONDS = 5.0
_WRONG_TYPE = "WRONGTYPE"
"""So Redis begins its refusal where an entry's name is taken by a list, a hash or the like."""
_NOTHING_OF_OURS = b""


class Breaker:
    """After a few failures in a row it lets nothing through for some seconds, then one attempt at a time."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures = 0
        self._closed_until = 0.0

    def allows(self) -> bool:
        """Whether to try. The attempt that is let through after a pause begins the next pause, should it fail."""
        if self._failures < _FAILURES:
            return True
        if self._clock() < self._closed_until:
            return False
        self._closed_until = self._clock() + _PAUSE_SECONDS
        return True

    def succeeded(self) -> bool:
        """Take in a success; whether it ended a time of failures."""
        was_open, self._failures = self._failures >= _FAILURES, 0
        return was_open

    def failed(self) -> bool:
        """Take in a failure; whether it was the one that began a time of failures."""
        self._failures += 1
        self._closed_until = self._clock() + _PAUSE_SECONDS
        return self._failures == _FAILURES


class SharedCache:
    """Samples by the digest of what they say. What is not as one of the service's servers wrote it is not there."""

    def __init__(self, url: str, entries: Entries, *, keep_seconds: int, metrics: Metrics) -> None:
        pool = redis.ConnectionPool.from_url(
            url,
            max_connections=_CONNECTIONS,
            socket_connect_timeout=_CONNECT_SECONDS,
            socket_timeout=_ANSWER_SECONDS,
            retry=Retry(NoBackoff(), 0),
        )
        self._client = redis.Redis(connection_pool=pool)
        self._entries = entries
        self._keep_seconds = keep_seconds
        self._metrics = metrics
        self._breaker = Breaker()
        self._writing = 0

    def get(self, key: str, sample_rate: int) -> bytes | None:
        """Return the samples, or None: not there, not in time, not right, not reachable."""
        value = self._attempt("get", lambda: self._read(self._entries.name(key)))
        pcm = self._entries.unpack(key, value, sample_rate) if isinstance(value, bytes) else None
        if value is not None:
            self._metrics.redis_events.labels("get", "hit" if pcm is not None else "damaged").inc()
        return pcm

    def put(self, key: str, pcm: bytes, sample_rate: int) -> None:
        """Store the samples, beside everything else; where they are too many, or too many writes wait already, not."""
        value = self._entries.pack(key, pcm, sample_rate) if self._writing < _WRITES else None
        if value is None:
            self._metrics.redis_events.labels("set", "skipped").inc()
            return
        self._writing += 1
        gevent.spawn(self._store, self._entries.name(key), value)

    def _read(self, name: str) -> bytes | None:
        """Read an entry, and no more of it than one of ours can have: what is there may be of any size and kind."""
        try:
            value = self._client.getrange(name, 0, LARGEST_BYTES)
        except redis.ResponseError as error:
            if str(error).startswith(_WRONG_TYPE):
                return _NOTHING_OF_OURS
            raise
        return value if isinstance(value, bytes) and value else None

    def _store(self, name: str, value: bytes) -> None:
        try:
            if self._attempt("set", lambda: self._client.set(name, value, ex=self._keep_seconds)):
                self._metrics.redis_events.labels("set", "stored").inc()
        finally:
            self._writing -= 1

    def _attempt(self, what: str, call: Callable[[], object]) -> object:
        if not self._breaker.allows():
            self._metrics.redis_events.labels(what, "skipped").inc()
            return None
        try:
            value = call()
        except (redis.RedisError, OSError) as error:
            self._metrics.redis_events.labels(what, "error").inc()
            if self._breaker.failed():
                log.warning("Redis fails: going on without it", extra={"error": type(error).__name__})
            return None
        if self._breaker.succeeded():
            log.info("Redis answers again")
        if value is None:
            self._metrics.redis_events.labels(what, "miss").inc()
        return value
