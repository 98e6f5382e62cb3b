"""Token buckets, as arithmetic on one number.

A bucket holds as many characters as its limit, and fills evenly within its time. It is described by the time at which
it is full again. This is the generic cell rate algorithm (ITU-T I.371).
"""

from dataclasses import dataclass

from tts_server.apikeys import Limits

_TOLERANCE_SECONDS = 1e-6


@dataclass(frozen=True, slots=True)
class Rate:
    """So many characters within so many seconds."""

    name: str
    limit: int
    seconds: float


def rates(limits: Limits) -> tuple[Rate, ...]:
    """Return the rates of a key, the shortest time first."""
    both = (("minute", limits.characters_per_minute, 60.0), ("day", limits.characters_per_day, 86_400.0))
    return tuple(Rate(name, limit, seconds) for name, limit, seconds in both if limit is not None)


def spend(full_at: float, amount: int, rate: Rate, now: float) -> tuple[float, float]:
    """Take ``amount`` characters out of a bucket, or put back a negative amount.

    Return when the bucket is full again, and 0; or the same ``full_at``, and the seconds until there is enough.
    """
    # No time to wait is longer than that of an empty bucket, whatever was stored.
    after = min(max(full_at, now), now + rate.seconds) + amount * rate.seconds / rate.limit
    wait = after - now - rate.seconds
    if amount > 0 and wait > _TOLERANCE_SECONDS:
        return full_at, wait
    return after, 0.0
