"""Audio that any server of the service has produced, in Redis. If Redis is slow or down, the cache acts as if empty."""

import logging
import time
from collections.abc import Callable

import gevent
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from tts_server.cache.redis_entries import MAX_ENTRY_BYTES, RedisEntries
from tts_server.observability.metrics import Metrics

log = logging.getLogger(__name__)

# A hit must cost less than synthesis, and a dead Redis next to nothing.
_CONNECT_TIMEOUT_SECONDS = 0.05
_RESPONSE_TIMEOUT_SECONDS = 0.1
_MAX_CONNECTIONS = 16
_MAX_PENDING_WRITES = 32
_MAX_FAILURES = 3
_OPEN_SECONDS = 5.0
_WRONG_TYPE = "WRONGTYPE"
"""The error code of Redis for a key that holds a list, a hash or another type."""
_NOT_AN_ENTRY = b""


class CircuitBreaker:
    """Opens after a few failures in a row. After some seconds it lets one attempt at a time through."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures = 0
        self._open_until = 0.0

    def allows(self) -> bool:
        """Return whether to try. An attempt that is let through keeps the breaker open for all others."""
        if self._failures < _MAX_FAILURES:
            return True
        if self._clock() < self._open_until:
            return False
        self._open_until = self._clock() + _OPEN_SECONDS
        return True

    def succeeded(self) -> bool:
        """Record a success. Return whether it closed the breaker."""
        was_open, self._failures = self._failures >= _MAX_FAILURES, 0
        return was_open

    def failed(self) -> bool:
        """Record a failure. Return whether it opened the breaker."""
        self._failures += 1
        self._open_until = self._clock() + _OPEN_SECONDS
        return self._failures == _MAX_FAILURES


def connect(url: str) -> redis.Redis:
    """Return a client that gives up early. It connects when it is first used."""
    pool = redis.ConnectionPool.from_url(
        url,
        max_connections=_MAX_CONNECTIONS,
        socket_connect_timeout=_CONNECT_TIMEOUT_SECONDS,
        socket_timeout=_RESPONSE_TIMEOUT_SECONDS,
        retry=Retry(NoBackoff(), 0),
    )
    return redis.Redis(connection_pool=pool)


class RedisCache:
    """Samples by cache key. An entry that no server of the service has written counts as missing."""

    def __init__(self, url: str, entries: RedisEntries, *, keep_seconds: int, metrics: Metrics) -> None:
        self._client = connect(url)
        self._entries = entries
        self._keep_seconds = keep_seconds
        self._metrics = metrics
        self._breaker = CircuitBreaker()
        self._pending_writes = 0

    def get(self, key: str, sample_rate: int) -> bytes | None:
        """Return the samples, or None if they are missing, late or invalid, or if Redis cannot be reached."""
        value = self._attempt("get", lambda: self._read(self._entries.name(key)))
        pcm = self._entries.unpack(key, value, sample_rate) if isinstance(value, bytes) else None
        if value is not None:
            self._metrics.redis_events.labels("get", "hit" if pcm is not None else "damaged").inc()
        return pcm

    def put(self, key: str, pcm: bytes, sample_rate: int) -> None:
        """Store the samples in the background. Skip samples that are too large, and all if many writes are pending."""
        value = self._entries.pack(key, pcm, sample_rate) if self._pending_writes < _MAX_PENDING_WRITES else None
        if value is None:
            self._metrics.redis_events.labels("set", "skipped").inc()
            return
        self._pending_writes += 1
        gevent.spawn(self._store, self._entries.name(key), value)

    def _read(self, name: str) -> bytes | None:
        """Read at most the size of the largest valid entry: others may have written a value of any size and type."""
        try:
            value = self._client.getrange(name, 0, MAX_ENTRY_BYTES)
        except redis.ResponseError as error:
            if str(error).startswith(_WRONG_TYPE):
                return _NOT_AN_ENTRY
            raise
        return value if isinstance(value, bytes) and value else None

    def _store(self, name: str, value: bytes) -> None:
        try:
            if self._attempt("set", lambda: self._client.set(name, value, ex=self._keep_seconds)):
                self._metrics.redis_events.labels("set", "stored").inc()
        finally:
            self._pending_writes -= 1

    def _attempt(self, operation: str, call: Callable[[], object]) -> object:
        if not self._breaker.allows():
            self._metrics.redis_events.labels(operation, "skipped").inc()
            return None
        try:
            value = call()
        except (redis.RedisError, OSError) as error:
            self._metrics.redis_events.labels(operation, "error").inc()
            if self._breaker.failed():
                log.warning("Redis is unavailable; continuing without it", extra={"error": type(error).__name__})
            return None
        if self._breaker.succeeded():
            log.info("Redis is available again")
        if value is None:
            self._metrics.redis_events.labels(operation, "miss").inc()
        return value
