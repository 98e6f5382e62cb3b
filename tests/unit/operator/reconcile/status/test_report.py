import dataclasses
from collections.abc import Sequence
from typing import Any

import pytest

from tests.unit.operator.kstatus import kstatus
from tests.unit.operator.worlds import EARLIER, NOW, body, condition, container, counts, plan_for, pod, service, world
from tts_operator.api import TTSService
from tts_operator.api.status import Status
from tts_operator.json_object import Json
from tts_operator.reconcile.children.changes import Applied, Refusal
from tts_operator.reconcile.observed.snapshot import Observed
from tts_operator.reconcile.status.report import compute_status, counts_are_stale, ready_condition

OOM = pod(containers=[container(last={"terminated": {"exitCode": 137, "reason": "OOMKilled"}})])
PENDING = pod(conditions=[condition("PodScheduled", "False", reason="Unschedulable", message="0/3 nodes")])
STARTING = pod(containers=[container({"waiting": {"reason": "ContainerCreating"}})])
DEADLINE = [condition("Progressing", "False", reason="ProgressDeadlineExceeded")]
FULL_QUOTA = [condition("ReplicaFailure", "True", message="exceeded quota: cpu")]
REVISION = "narrator-1"
TAKEN = Refusal(child="Service narrator", reason="NameTaken", message="it is somebody else's")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Case:
    name: str
    deployment: Json | None = None
    pods: Sequence[Json] = ()
    refusals: Sequence[Refusal] = ()
    missing: Sequence[str] = ()
    off: Sequence[tuple[str, str]] = ()
    live: Sequence[Json] = ()
    without: str | None = None
    spec: Json = dataclasses.field(default_factory=dict)
    ready: str
    reason: str
    available: str = "True"
    workload: str = ""
    verdict: str
    more: frozenset[str] = frozenset()
    says: str = ""


RECONCILING, STALLED, PAUSED = frozenset({"Reconciling"}), frozenset({"Stalled"}), frozenset({"Paused"})
NONE_AVAILABLE = {"readyReplicas": 0, "availableReplicas": 0}

CASES = [
    Case(name="all ready", ready="True", reason="Ready", verdict="Current", says="all 3 pods are ready"),
    Case(
        name="no Deployment yet",
        without="Deployment",
        ready="False",
        reason="Creating",
        available="False",
        verdict="InProgress",
        more=RECONCILING,
    ),
    Case(
        name="a Deployment nobody has looked at",
        deployment={},
        ready="False",
        reason="RolloutInProgress",
        available="False",
        verdict="InProgress",
        more=RECONCILING,
        says="0 of 3 pods can serve",
    ),
    Case(
        name="all ready, but of the last generation",
        deployment=counts(observedGeneration=0),
        ready="False",
        reason="RolloutInProgress",
        verdict="InProgress",
        more=RECONCILING,
    ),
    Case(
        name="old pods stand beside new ones",
        deployment=counts(replicas=4, updatedReplicas=1),
        ready="False",
        reason="RolloutInProgress",
        verdict="InProgress",
        more=RECONCILING,
        says="1 of 4 match the spec",
    ),
    Case(
        name="one old pod is left",
        deployment=counts(replicas=4),
        ready="False",
        reason="RolloutInProgress",
        verdict="InProgress",
        more=RECONCILING,
    ),
    Case(
        name="pods start",
        deployment=counts(readyReplicas=2, availableReplicas=2),
        pods=[STARTING],
        ready="False",
        reason="PodsNotReady",
        verdict="InProgress",
        more=RECONCILING,
        says="2 of 3 pods can serve",
    ),
    Case(
        name="a pod is out of memory",
        deployment=counts(readyReplicas=2, availableReplicas=2),
        pods=[OOM],
        ready="False",
        reason="OOMKilled",
        verdict="InProgress",
        more=RECONCILING,
        says="raise resources.limits.memory",
    ),
    Case(
        name="no pod fits",
        deployment=counts(**NONE_AVAILABLE),
        pods=[PENDING],
        ready="False",
        reason="Unschedulable",
        available="False",
        verdict="InProgress",
        more=RECONCILING,
        says="0/3 nodes",
    ),
    Case(
        name="too few pods exist",
        deployment=counts(wanted=1, conditions=FULL_QUOTA),
        ready="False",
        reason="PodsNotReady",
        verdict="InProgress",
        more=RECONCILING,
        says="pods cannot be created: exceeded quota: cpu",
    ),
    Case(
        name="the deadline has passed",
        deployment=counts(replicas=4, updatedReplicas=1, conditions=DEADLINE),
        pods=[OOM],
        ready="False",
        reason="ProgressDeadlineExceeded",
        verdict="Failed",
        more=STALLED,
        says="OOMKilled",
    ),
    Case(
        name="the deadline had passed, the next rollout is under way",
        deployment=counts(observedGeneration=0, conditions=DEADLINE),
        ready="False",
        reason="RolloutInProgress",
        verdict="InProgress",
        more=RECONCILING,
    ),
    Case(
        name="the deadline had passed, now all are ready",
        deployment=counts(conditions=DEADLINE),
        ready="True",
        reason="Ready",
        verdict="Current",
    ),
    Case(
        name="a child was refused",
        refusals=[TAKEN],
        ready="False",
        reason="NameTaken",
        verdict="Failed",
        more=STALLED,
        says="cannot apply Service narrator: it is somebody else's",
    ),
    Case(
        name="the Deployment was refused",
        refusals=[Refusal(child="Deployment narrator", reason="Invalid", message="no")],
        without="Deployment",
        ready="False",
        reason="Invalid",
        available="False",
        verdict="Failed",
        more=STALLED,
    ),
    Case(
        name="nothing is wanted",
        spec={"replicas": 0},
        deployment=counts(wanted=0),
        ready="True",
        reason="ScaledToZero",
        available="False",
        verdict="Current",
    ),
    Case(
        name="nothing is wanted, the last pods are going",
        spec={"replicas": 0},
        deployment=counts(wanted=1),
        ready="False",
        reason="PodsNotReady",
        verdict="InProgress",
        more=RECONCILING,
    ),
    Case(
        name="paused and well",
        spec={"paused": True},
        ready="True",
        reason="Ready",
        verdict="Current",
        more=PAUSED,
    ),
    Case(
        name="a feature that is turned off",
        spec={"monitoring": {"podMonitor": {"enabled": True}}},
        missing=["PodMonitor"],
        off=[("monitoring.coreos.com/v1", "PodMonitor")],
        ready="False",
        workload="True",
        reason="FeatureDisabled",
        verdict="Failed",
        more=STALLED,
        says="this operator may not create a PodMonitor: remove spec.monitoring.podMonitor, or ask the cluster "
        "administrator to install the operator with the Helm value features.monitoring: true. "
        "Everything else is applied",
    ),
    Case(
        name="a feature that is turned off, and pods that wait for it",
        spec={"model": {"storage": {"persistentVolumeClaim": {}}}},
        deployment=counts(**NONE_AVAILABLE),
        pods=[PENDING],
        missing=["PersistentVolumeClaim"],
        off=[("v1", "PersistentVolumeClaim")],
        ready="False",
        reason="FeatureDisabled",
        available="False",
        verdict="Failed",
        more=STALLED,
        says="features.persistentVolumeClaims",
    ),
    Case(
        name="no budgets, and none that was asked for",
        missing=["PodDisruptionBudget"],
        off=[("policy/v1", "PodDisruptionBudget")],
        ready="True",
        reason="Ready",
        verdict="Current",
    ),
    Case(
        name="no budgets, though one was asked for",
        spec={"disruption": {"minAvailable": 1}},
        missing=["PodDisruptionBudget"],
        off=[("policy/v1", "PodDisruptionBudget")],
        ready="False",
        workload="True",
        reason="FeatureDisabled",
        verdict="Failed",
        more=STALLED,
        says="features.disruptionBudgets",
    ),
    Case(
        name="paused before it ever ran",
        spec={"paused": True},
        without="Deployment",
        ready="False",
        reason="Creating",
        available="False",
        verdict="InProgress",
        more=PAUSED,
    ),
    Case(
        name="paused and failed",
        spec={"paused": True},
        deployment=counts(replicas=4, updatedReplicas=1, conditions=DEADLINE),
        ready="False",
        reason="ProgressDeadlineExceeded",
        verdict="Failed",
        more=STALLED | PAUSED,
    ),
]


def observed(asked: TTSService, case: Case) -> Observed:
    found = world(asked, deployment=case.deployment, pods=case.pods, without=case.without, live=case.live)
    return dataclasses.replace(found, without=frozenset(case.off))


def told(asked: TTSService, case: Case, now: str) -> Json:
    plan = plan_for(asked, REVISION, missing=case.missing)
    return compute_status(asked, observed(asked, case), plan, Applied(refusals=case.refusals), now)


def of_world(asked: TTSService, now: str = NOW, *, spread: str = "", **what: Any) -> Json:
    return compute_status(asked, world(asked, **what), plan_for(asked, REVISION, spread=spread), Applied(), now)


def by_type(status: Json) -> dict[str, Json]:
    return {condition["type"]: condition for condition in status["conditions"]}


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_verdict(case: Case) -> None:
    asked = service(case.spec)
    status = told(asked, case, NOW)
    conditions = by_type(status)
    assert conditions.keys() == {"Ready", "Available", "WorkloadReady"} | case.more
    assert (conditions["Ready"]["status"], conditions["Ready"]["reason"]) == (case.ready, case.reason)
    assert conditions["WorkloadReady"]["status"] == (case.workload or case.ready)
    assert conditions["Available"]["status"] == case.available
    assert all(conditions[kind]["status"] == "True" for kind in case.more)
    assert case.says in conditions["Ready"]["message"]
    assert kstatus(body(case.spec, status=status)) == case.verdict


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_status_fits_the_schema(case: Case) -> None:
    asked = service(case.spec, generation=4)
    status = told(asked, case, NOW)
    assert Status.model_validate(status).model_dump(by_alias=True, exclude_none=True) == status
    assert {condition["observedGeneration"] for condition in status["conditions"]} == {4}


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_a_status_that_was_written_is_not_written_again(case: Case) -> None:
    asked = service(case.spec)
    status = told(asked, case, EARLIER)
    again = service(case.spec, status=status)
    assert told(again, case, NOW) == status


def test_before_the_operator_has_seen_it() -> None:
    assert kstatus(body()) == "InProgress"


def test_while_it_is_deleted() -> None:
    assert kstatus(body(deletionTimestamp=NOW)) == "Terminating"


def test_a_status_of_another_generation_is_in_progress() -> None:
    asked = service()
    assert kstatus(body(generation=2, status=of_world(asked))) == "InProgress"


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
def test_unsettled(deployment: Json | None, without: str | None, expected: bool) -> None:
    asked = service()
    assert counts_are_stale(asked, world(asked, deployment=deployment, without=without)) is expected
