import dataclasses
from collections.abc import Sequence

import pytest

from tests.unit.operator.kstatus import kstatus
from tests.unit.operator.reconcile.status.reports import NONE_AVAILABLE, OOM, REVISION, by_type, of_world
from tests.unit.operator.worlds import EARLIER, NOW, body, condition, container, counts, plan_for, pod, service, world
from tts_operator.api import TTSService
from tts_operator.api.status import Status
from tts_operator.json_object import Json
from tts_operator.objects import Pod
from tts_operator.reconcile.children.changes import Applied, Refusal
from tts_operator.reconcile.observed.snapshot import Observed
from tts_operator.reconcile.status.report import compute_status

PENDING = pod(conditions=[condition("PodScheduled", "False", reason="Unschedulable", message="0/3 nodes")])
STARTING = pod(containers=[container({"waiting": {"reason": "ContainerCreating"}})])
DEADLINE = [condition("Progressing", "False", reason="ProgressDeadlineExceeded")]
FULL_QUOTA = [condition("ReplicaFailure", "True", message="exceeded quota: cpu")]
TAKEN = Refusal(child="Service narrator", reason="NameTaken", message="it is somebody else's")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Case:
    name: str
    deployment: Json | None = None
    pods: Sequence[Pod] = ()
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
