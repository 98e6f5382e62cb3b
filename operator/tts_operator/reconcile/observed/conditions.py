"""Conditions of live objects, and their timestamps."""

import datetime

from tts_operator.json_object import Json


def seconds_between(earlier: str, later: str) -> float:
    """Seconds from one RFC 3339 time to another."""
    return (datetime.datetime.fromisoformat(later) - datetime.datetime.fromisoformat(earlier)).total_seconds()


def condition_of(live: Json | None, kind: str) -> Json:
    """The condition of this type of a live object; empty if it has none."""
    conditions = (live or {}).get("status", {}).get("conditions", ())
    return next((condition for condition in conditions if condition["type"] == kind), {})
