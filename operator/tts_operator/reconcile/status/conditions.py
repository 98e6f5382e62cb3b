"""What is said of one part of a service."""

import datetime
from dataclasses import dataclass

from tts_operator.api import Json


@dataclass(frozen=True, kw_only=True)
class ConditionState:
    """How one part of a service is doing."""

    ready: bool | None
    """None: it is not known."""
    reason: str
    """One CamelCase word."""
    message: str
    stalled: bool = False
    """It will not get ready by itself."""

    @property
    def status(self) -> str:
        """The status of a condition."""
        return "Unknown" if self.ready is None else str(self.ready)


def seconds_between(earlier: str, later: str) -> float:
    """Seconds from one RFC 3339 time to another."""
    return (datetime.datetime.fromisoformat(later) - datetime.datetime.fromisoformat(earlier)).total_seconds()


def condition_of(live: Json | None, kind: str) -> Json:
    """One condition of a live object; empty where it has none of this type."""
    conditions = (live or {}).get("status", {}).get("conditions", ())
    return next((condition for condition in conditions if condition["type"] == kind), {})
