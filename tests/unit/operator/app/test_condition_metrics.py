"""The metrics about the state of each TTSService."""

import prometheus_client
import pytest

from tests.unit.operator.worlds import body
from tts_operator.app.condition_metrics import ConditionCollector
from tts_operator.json_object import Json


def condition(kind: str, status: str, reason: str = "Any") -> Json:
    return {"type": kind, "status": status, "reason": reason}


def page(*services: Json, leading: bool = True) -> list[str]:
    registry = prometheus_client.CollectorRegistry()
    registry.register(ConditionCollector(services=services, leading=lambda: leading))
    lines = prometheus_client.generate_latest(registry).decode().splitlines()
    return [line for line in lines if not line.startswith("#")]


def test_conditions_and_the_rollout_of_a_service() -> None:
    status = {
        "conditions": [condition("Ready", "False"), condition("Available", "True"), condition("Stalled", "True")],
        "rollout": {
            "revision": "narrator-2",
            "phase": "RolledBack",
            "since": "2026-01-01T00:00:00Z",
            "lastTransitionTime": "2026-01-01T00:00:10Z",
            "reason": "ErrorRate",
        },
    }
    labels = 'phase="RolledBack",reason="ErrorRate",ttsservice="speech/narrator"'
    assert page(body(status=status)) == [
        'tts_operator_service_condition{condition="Ready",ttsservice="speech/narrator"} 0.0',
        'tts_operator_service_condition{condition="Available",ttsservice="speech/narrator"} 1.0',
        f"tts_operator_rollout_phase_start_time_seconds{{{labels}}} 1.76722561e+09",
    ]


def test_a_service_that_is_to_have_no_pods_is_not_unavailable() -> None:
    status = {"conditions": [condition("Ready", "True"), condition("Available", "False", "ScaledToZero")]}
    assert page(body(status=status)) == [
        'tts_operator_service_condition{condition="Ready",ttsservice="speech/narrator"} 1.0'
    ]


@pytest.mark.parametrize("reason", ["RolloutPaused", "Undone"])
def test_a_service_that_is_as_somebody_wants_it_is_no_reason_for_an_alert(reason: str) -> None:
    assert page(body(status={"conditions": [condition("Ready", "False", reason)]})) == []


def test_nothing_is_said_before_the_first_pass_and_by_a_standby() -> None:
    assert page(body()) == []
    assert page(body(status={"conditions": [condition("Ready", "True")]}), leading=False) == []
