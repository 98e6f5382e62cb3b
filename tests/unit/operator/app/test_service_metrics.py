"""What the operator tells Prometheus of each service."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.operator.worlds import body
from tts_operator.app.service_metrics import ServiceCollector
from tts_operator.desired.identity import CANDIDATE, NAME_LABEL, SERVER, WORKER
from tts_operator.runtime import Store

ZONES = {"n1": "zone-a", "n2": "zone-b"}
KEY = "speech", "narrator"


def pod(name: str, node: str | None, kind: str = SERVER, ready: str = "True") -> dict[str, Any]:
    return {
        "metadata": {
            "namespace": KEY[0],
            "name": name,
            "uid": name,
            "resourceVersion": "1",
            "labels": {NAME_LABEL: kind},
        },
        "spec": {"nodeName": node},
        "status": {"conditions": [{"type": "Ready", "status": ready}]},
    }


def collected(status: dict[str, Any], *pods: dict[str, Any], leading: bool = True) -> dict[str, float]:
    """Samples by name and labels without the service's."""
    store = Store(key_of=lambda _: KEY)
    for each in pods:
        store.put(each)
    collector = ServiceCollector(services=[body(status=status)], pods=store, zones=ZONES, leading=lambda: leading)
    found = {}
    for metric in collector.collect():
        for sample in metric.samples:
            assert sample.labels["ttsservice"] == "speech/narrator"
            labels = [value for name, value in sample.labels.items() if name != "ttsservice"]
            found[" ".join([sample.name.removeprefix("tts_operator_"), *labels])] = sample.value
    return found


def test_pods_are_counted_by_set_zone_and_readiness() -> None:
    pods = [
        pod("a", "n1"),
        pod("b", "n1"),
        pod("c", "n2", ready="False"),
        pod("d", None, ready="False"),
        pod("e", "n2", CANDIDATE),
        pod("f", "n1", WORKER),
    ]
    assert collected({}, *pods) == {
        "service_pods stable zone-a true": 2,
        "service_pods stable zone-b false": 1,
        "service_pods stable  false": 1,
        "service_pods candidate zone-b true": 1,
        "service_pods worker zone-a true": 1,
    }


@pytest.mark.parametrize("status, value", [("True", 1), ("False", 0), ("Unknown", 0)])
def test_whether_it_is_ready_and_available_and_why(status: str, value: float) -> None:
    conditions = [
        {"type": "Ready", "status": "False", "reason": "RolloutInProgress"},
        {"type": "Available", "status": status, "reason": "PodsAvailable"},
        {"type": "Stalled", "status": "True", "reason": "Invalid"},
    ]
    assert collected({"conditions": conditions}) == {
        "service_condition Ready RolloutInProgress": 0,
        "service_condition Available PodsAvailable": value,
    }


@pytest.mark.parametrize(
    "status, wanted",
    [
        (
            {"phase": "Stepping", "currentStep": 2, "steps": 3},
            {"rollout_info narrator-2 Stepping ": 1, "rollout_step": 2, "rollout_steps": 3},
        ),
        ({"phase": "Checking"}, {"rollout_info narrator-2 Checking ": 1, "rollout_traffic_ratio": 0}),
        ({"phase": "Switched"}, {"rollout_info narrator-2 Switched ": 1, "rollout_traffic_ratio": 1}),
        ({"phase": "Promoting"}, {"rollout_info narrator-2 Promoting ": 1}),
        (
            {"phase": "RolledBack", "reason": "ErrorRate"},
            {"rollout_info narrator-2 RolledBack ErrorRate": 1, "rollout_traffic_ratio": 0},
        ),
    ],
    ids=lambda value: value.get("phase"),
)
def test_where_a_rollout_is(status: dict[str, Any], wanted: dict[str, float]) -> None:
    rollout = {"revision": "narrator-2", "lastTransitionTime": "2026-01-01T00:00:10Z", **status}
    began = f"rollout_phase_start_time_seconds {status['phase']} {status.get('reason', '')}"
    assert collected({"rollout": rollout}) == {began: 1767225610, **wanted}


def test_the_weight_of_a_canary() -> None:
    rollout = {"revision": "narrator-2", "phase": "Stepping", "lastTransitionTime": "2026-01-01T00:00:10Z"}
    status = {"rollout": rollout, "canaryWeight": 20}
    assert collected(status)["rollout_traffic_ratio"] == 0.2


def test_a_standby_says_nothing() -> None:
    status = {"conditions": [{"type": "Ready", "status": "True", "reason": "Ready"}]}
    assert collected(status, pod("a", "n1"), leading=False) == {}


def test_nothing_is_said_before_the_first_pass() -> None:
    assert collected({}) == {}
