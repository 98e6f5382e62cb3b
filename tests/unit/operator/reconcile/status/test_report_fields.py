"""The fields of a status other than conditions, and transition times."""

from typing import Any

import pytest

from tests.unit.operator.reconcile.status.reports import NONE_AVAILABLE, OOM, REVISION, by_type, of_world
from tests.unit.operator.worlds import EARLIER, NOW, counts, pod, service, world
from tts_operator.api.status import Status
from tts_operator.json_object import Json
from tts_operator.reconcile.status.report import counts_are_stale, ready_condition


def test_fields() -> None:
    asked = service({"service": {"port": 8080}})
    deployment = counts(replicas=4, updatedReplicas=2, readyReplicas=3)
    pods = [pod("a", ready=True, node="n1"), pod("b", ready=True, node="n2"), pod("c", node="n3")]
    status = of_world(asked, deployment=deployment, pods=pods, zones={"n1": "z", "n2": "a", "n3": "b"})
    del status["conditions"]
    assert status == {
        "observedGeneration": 1,
        "url": "http://narrator.speech.svc:8080",
        "model": "fastspeech2",
        "replicas": 4,
        "readyReplicas": 3,
        "updatedReplicas": 2,
        "selector": "app.kubernetes.io/instance=narrator,app.kubernetes.io/name=tts-server",
        "zones": ["a", "z"],
        "readyZones": 2,
        "targetRevision": REVISION,
    }


@pytest.mark.parametrize("spread", ["DoNotSchedule", "ScheduleAnyway", "NoZones"])
def test_how_strictly_the_pods_are_spread(spread: str) -> None:
    status = of_world(service(), spread=spread)
    assert Status.model_validate(status).zone_spread == status["zoneSpread"] == spread


def test_the_last_failure_is_told_while_it_lasts() -> None:
    asked = service()
    failing = of_world(asked, deployment=counts(**NONE_AVAILABLE), pods=[OOM])
    assert failing["lastFailure"]["reason"] == "OOMKilled"
    assert "lastFailure" not in of_world(asked, pods=[OOM])


@pytest.mark.parametrize(
    "deployment, since",
    [
        (counts(), EARLIER),  # still ready
        (counts(readyReplicas=2, availableReplicas=2), NOW),
    ],
)
def test_a_transition_has_its_own_time(deployment: Json, since: str) -> None:
    asked = service()
    before = of_world(asked, EARLIER)
    after = by_type(of_world(service(status=before), deployment=deployment))
    assert after["Ready"]["lastTransitionTime"] == since
    assert after["Available"]["lastTransitionTime"] == EARLIER


def test_another_reason_is_no_transition() -> None:
    asked, rolling, missing = service(), counts(replicas=4), counts(readyReplicas=2, availableReplicas=2)
    before = of_world(asked, EARLIER, deployment=rolling)
    after = by_type(of_world(service(status=before), deployment=missing))
    assert after["Ready"]["reason"] == "PodsNotReady"
    assert after["Ready"]["lastTransitionTime"] == after["Reconciling"]["lastTransitionTime"] == EARLIER


@pytest.mark.parametrize("status, found", [({}, {}), ({"conditions": []}, {}), ({"conditions": [{"type": "A"}]}, {})])
def test_no_ready_condition(status: Any, found: Json) -> None:
    assert ready_condition(status) == found


@pytest.mark.parametrize(
    "deployment, without, expected",
    [
        (counts(), None, False),
        (counts(observedGeneration=2), None, False),
        (counts(observedGeneration=0), None, True),
        ({}, None, True),
        (None, "Deployment", False),
    ],
)
def test_stale_counts(deployment: Json | None, without: str | None, expected: bool) -> None:
    asked = service()
    assert counts_are_stale(asked, world(asked, deployment=deployment, without=without)) is expected
