"""The condition JobsReady."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from tests.unit.operator.worlds import DEFAULTS, NAME, NOW, OPEN, applied, counts, pod, service, world
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
    spec: Json, *live: Json, pods: Sequence[Pod] = (), deployment: Json | None = None, lost: bool = False
) -> dict[str, Json]:
    """The conditions, by type. The Deployment of the workers may be `lost`."""
    asked = service(spec)
    observed = replace(world(asked, live=live, deployment=deployment), workers=pods)
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
