"""Conditions of live objects, and their timestamps."""

import datetime

from tts_operator.objects import Certificate, Condition, Deployment, HorizontalPodAutoscaler, Pod, ScaledObject

Observable = Certificate | Deployment | HorizontalPodAutoscaler | Pod | ScaledObject
"""Objects with conditions."""


def seconds_between(earlier: str, later: str) -> float:
    """Seconds from one RFC 3339 time to another."""
    return (datetime.datetime.fromisoformat(later) - datetime.datetime.fromisoformat(earlier)).total_seconds()


def condition_of(live: Observable | None, kind: str) -> Condition:
    """The condition of this type of a live object; empty if it has none."""
    conditions = live.get("status", {}).get("conditions", ()) if live is not None else ()
    return next((condition for condition in conditions if condition["type"] == kind), Condition())
