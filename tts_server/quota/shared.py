"""What all servers of a service count together, in Redis. Each operation is one script, which Redis runs as a whole."""

import logging
from collections.abc import Sequence
from typing import Any

import redis

from tts_server.cache.redis import CircuitBreaker, connect
from tts_server.observability.metrics import Metrics
from tts_server.quota.rate import Rate
from tts_server.quota.usage import UnavailableError

log = logging.getLogger(__name__)

# The same arithmetic as rate.spend. The time is that of Redis, because the clocks of servers differ. An entry expires
# when its bucket is full, which is what a missing entry means.
_SPEND = """
local clock = redis.call('TIME')
local now = tonumber(clock[1]) + tonumber(clock[2]) / 1e6
local amount = tonumber(ARGV[1])
local full_at = {}
for i, name in ipairs(KEYS) do
  local limit, seconds = tonumber(ARGV[2 * i]), tonumber(ARGV[2 * i + 1])
  local stored = tonumber(redis.call('GET', name) or '') or now
  local after = math.min(math.max(stored, now), now + seconds) + amount * seconds / limit
  local wait = after - now - seconds
  if amount > 0 and wait > 1e-6 then return {i, string.format('%.3f', wait)} end
  full_at[i] = after
end
for i, name in ipairs(KEYS) do
  local left = math.ceil((full_at[i] - now) * 1000)
  if left > 0 then redis.call('SET', name, string.format('%.6f', full_at[i]), 'PX', left)
  else redis.call('DEL', name) end
end
return {0, '0'}
"""

# The members are streams, with the time at which they no longer count: a server that dies ends none of its own.
_TAKE = """
local clock = redis.call('TIME')
local now = tonumber(clock[1]) + tonumber(clock[2]) / 1e6
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[2]) and not redis.call('ZSCORE', KEYS[1], ARGV[1]) then return 0 end
redis.call('ZADD', KEYS[1], now + tonumber(ARGV[3]), ARGV[1])
redis.call('PEXPIRE', KEYS[1], math.ceil(tonumber(ARGV[3]) * 1000))
return 1
"""


class SharedUsage:
    """The :class:`Usage` of all servers with the same prefix. If Redis is slow or down, it is unavailable."""

    def __init__(self, url: str, prefix: str, *, stream_seconds: float, metrics: Metrics) -> None:
        """A stream that is neither released nor renewed counts for ``stream_seconds``."""
        self._client = connect(url)
        self._prefix = prefix
        self._stream_seconds = stream_seconds
        self._metrics = metrics
        self._breaker = CircuitBreaker()

    def spend(self, name: str, rates: Sequence[Rate], amount: int) -> tuple[Rate, float] | None:
        """See :class:`Usage`."""
        names = [self._name(name, rate.name) for rate in rates]
        numbers = [number for rate in rates for number in (rate.limit, rate.seconds)]
        answer = self._run(_SPEND, names, amount, *numbers)
        try:
            index, wait = int(answer[0]), float(answer[1])
            return (rates[index - 1], wait) if index else None
        except (TypeError, ValueError, IndexError) as error:
            raise UnavailableError from error

    def take(self, name: str, stream: str, limit: int) -> bool:
        """See :class:`Usage`. A stream that counts already counts for longer."""
        return bool(self._run(_TAKE, [self._name(name, "streams")], stream, limit, self._stream_seconds) == 1)

    def release(self, name: str, stream: str) -> None:
        """See :class:`Usage`."""
        self._attempt(lambda: self._client.zrem(self._name(name, "streams"), stream))

    def _name(self, name: str, what: str) -> str:
        # In braces, so that Redis Cluster keeps the entries of a key together.
        return f"{self._prefix}quota:{{{name}}}:{what}"

    def _run(self, script: str, names: Sequence[str], *arguments: Any) -> Any:
        return self._attempt(lambda: self._client.eval(script, len(names), *names, *arguments))

    def _attempt(self, call: Any) -> Any:
        if not self._breaker.allows():
            self._metrics.redis_events.labels("quota", "skipped").inc()
            raise UnavailableError
        try:
            answer = call()
        except (redis.RedisError, OSError) as error:
            self._metrics.redis_events.labels("quota", "error").inc()
            if self._breaker.failed():
                log.warning("quotas count per process, without Redis", extra={"error": type(error).__name__})
            raise UnavailableError from error
        if self._breaker.succeeded():
            log.info("quotas count in Redis again")
        self._metrics.redis_events.labels("quota", "counted").inc()
        return answer
