"""The condition JobsReady."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from tests.unit.operator.worlds import (
    DEFAULTS,
    EARLIER,
    NAME,
    NOW,
    OPEN,
    applied,
    condition,
    counts,
    pod,
    service,
    world,
)
from tests.unit.operator.worlds import plan as planned
from tts_operator.desired import children
from tts_operator.json_object import Json
from tts_operator.objects import Pod
from tts_operator.reconcile.children.changes import Applied
from tts_operator.reconcile.status.report import compute_status

BUCKET = {"s3": {"bucket": "books", "credentialsSecretRef": {"name": "books"}}}
ALONE = {"replicas": 1, "jobs": {"storage": BUCKET}}
SHARED = {"jobs": {"storage": BUCKET, "kafka": {"bootstrapServers": ["kafka:9092"]}}}
WORKER = f"{NAME}-worker"
CRASHED = {
    "name": "server",
    "state": {"terminated": {"exitCode": 3, "reason": "Error", "message": "TTS_JOBS_CA_FILE names no PEM file."}},
}


def workers(**status: Any) -> Json:
    """The Deployment of two workers, with this status."""
    deployments = (each for each in children(service(SHARED), DEFAULTS) if each["kind"] == "Deployment")
    manifest = next(each for each in deployments if each["metadata"]["name"] == WORKER)
    return applied(manifest, status=counts(wanted=2, **status))


def told(
    spec: Json,
    *live: Json,
    pods: Sequence[Pod] = (),
    deployment: Json | None = None,
    lost: bool = False,
    keda: bool = True,
) -> dict[str, Json]:
    """The conditions, by type. The Deployment of the workers may be `lost`. The cluster may lack KEDA."""
    asked = service(spec)
    observed = replace(world(asked, live=live, deployment=deployment), workers=pods)
    if not keda:
        observed = replace(observed, unserved={("keda.sh/v1alpha1", "ScaledObject")})
    if lost:
        left = {at: body for at, body in observed.children.items() if at[1:] != ("Deployment", WORKER)}
        observed = replace(observed, children=left)
    plan = planned(asked, observed, DEFAULTS, now=NOW, policy=OPEN)
    status = compute_status(asked, observed, plan, Applied(), NOW)
    return {each["type"]: each for each in status["conditions"]}


def test_without_jobs_there_is_no_condition() -> None:
    assert "JobsReady" not in told({})


def test_a_server_that_speaks_its_jobs_itself() -> None:
    found = told(ALONE, deployment=counts(wanted=1))
    assert (found["JobsReady"]["status"], found["JobsReady"]["reason"]) == ("True", "ServerSpeaksJobs")
    found = told(ALONE, deployment=counts(wanted=1, availableReplicas=0, readyReplicas=0))
    assert (found["JobsReady"]["status"], found["JobsReady"]["reason"]) == ("False", "NoPodsAvailable")


def test_workers_that_are_ready() -> None:
    found = told(SHARED, workers())
    assert (found["JobsReady"]["status"], found["JobsReady"]["message"]) == ("True", "workers: all 2 pods are ready")
    assert found["Ready"]["status"] == "True"


def test_a_worker_that_fails_makes_the_service_unready_but_available() -> None:
    found = told(SHARED, workers(availableReplicas=1), pods=[pod(f"{WORKER}-1", containers=[CRASHED])])
    assert found["JobsReady"]["status"] == "False"
    assert "TTS_JOBS_CA_FILE names no PEM file." in found["JobsReady"]["message"]
    assert (found["Ready"]["status"], found["Ready"]["reason"]) == ("False", "Error")
    assert found["WorkloadReady"]["status"] == found["Available"]["status"] == "True"


@pytest.mark.parametrize("deleted", [False, True], ids=["not there", "on its way out"])
def test_workers_that_do_not_exist_yet(deleted: bool) -> None:
    live = workers()
    live["metadata"]["deletionTimestamp"] = NOW
    found = told(SHARED, live, lost=not deleted)
    assert (found["JobsReady"]["status"], found["JobsReady"]["reason"]) == ("False", "NoWorkers")


def test_no_workers_as_asked_for() -> None:
    none = {"jobs": {**SHARED["jobs"], "workers": {"replicas": 0}}}
    found = told(none)
    assert (found["JobsReady"]["status"], found["JobsReady"]["reason"]) == ("True", "ScaledToZero")
    assert "wait" in found["JobsReady"]["message"]


def scaled(*live: Json, keda: bool = True, **asked: int) -> dict[str, Json]:
    """The conditions of a service whose workers are scaled."""
    spec = {"jobs": {**SHARED["jobs"], "workers": {"autoscaling": {"minReplicas": 0, **asked}}}}
    return told(spec, *live, keda=keda)


def autoscaler(kind: str, *conditions: Json) -> Json:
    spec = {"jobs": {**SHARED["jobs"], "workers": {"autoscaling": {}}}}
    made = children(service(spec), DEFAULTS, keda=kind == "ScaledObject")
    (manifest,) = (each for each in made if (each["kind"], each["metadata"]["name"]) == (kind, WORKER))
    return applied(manifest, status={"conditions": list(conditions)})


def test_no_workers_while_no_job_waits() -> None:
    live = workers()
    live["spec"]["replicas"] = 0
    found = scaled(live)
    assert (found["JobsReady"]["status"], found["JobsReady"]["reason"]) == ("True", "ScaledToZero")
    assert found["JobsReady"]["message"] == "no worker runs, because no job waits"


def test_no_workers_while_nobody_knows_whether_a_job_waits() -> None:
    live = workers()
    live["spec"]["replicas"] = 0
    found = scaled(live, autoscaler("ScaledObject", condition("Ready", "False", reason="TriggerError")))
    assert (found["JobsReady"]["status"], found["JobsReady"]["reason"]) == ("False", "TriggerError")
    assert found["JobsReady"]["message"].startswith("no worker runs, also if jobs wait: the number of pods stays")
    assert found["Ready"]["status"] == "False"
    assert found["Available"]["status"] == "True"


@pytest.mark.parametrize(
    "conditions, status, reason, says",
    [
        ([], "Unknown", "Pending", "KEDA has not reported"),
        ([condition("Ready", "True")], "True", "ScalingActive", "workers: the number of pods follows what waits"),
        ([condition("Ready", "False", reason="TriggerError")], "False", "TriggerError", "networkPolicy.ingressFrom"),
        ([condition("Ready", "False", reason="Odd")], "False", "Odd", f"kubectl describe scaledobject {WORKER}"),
    ],
)
def test_what_keda_says(conditions: list[Json], status: str, reason: str, says: str) -> None:
    found = scaled(workers(), autoscaler("ScaledObject", *conditions))
    assert (found["AutoscalingReady"]["status"], found["AutoscalingReady"]["reason"]) == (status, reason)
    assert says in found["AutoscalingReady"]["message"]
    assert found["Ready"]["status"] == "True"


def test_without_keda_the_autoscaler_by_cpu_is_told() -> None:
    failing = condition("ScalingActive", "False", reason="FailedGetResourceMetric", lastTransitionTime=EARLIER)
    found = scaled(workers(), autoscaler("HorizontalPodAutoscaler", failing), keda=False)
    assert found["AutoscalingReady"]["reason"] == "FailedGetResourceMetric"
    assert found["AutoscalingReady"]["message"].startswith("workers: the number of pods stays as it is: there are no")


def test_what_fails_is_told_before_what_works() -> None:
    broken = autoscaler("ScaledObject", condition("Ready", "False", reason="TriggerError"))
    spec = {"autoscaling": {}, "jobs": {**SHARED["jobs"], "workers": {"autoscaling": {}}}}
    assert told(spec, workers(), broken)["AutoscalingReady"]["reason"] == "TriggerError"
