"""Where usage is counted: in this process, or in Redis."""

from collections.abc import Sequence
from typing import Protocol

from tts_server.quota.rate import Rate


class UnavailableError(Exception):
    """Usage cannot be counted there at the moment."""


class Usage(Protocol):
    """The buckets and the streams of each key, by its name. All methods may raise :class:`UnavailableError`."""

    def spend(self, name: str, rates: Sequence[Rate], amount: int) -> tuple[Rate, float] | None:
        """Take characters out of all buckets, or out of none. Return the one that has too few, and how long to wait.

        A negative amount is put back.
        """
        ...

    def take(self, name: str, stream: str, limit: int) -> bool:
        """Count a stream, unless that is one too many. Return whether it counts. It may count already."""
        ...

    def release(self, name: str, stream: str) -> None:
        """No longer count a stream."""
        ...
