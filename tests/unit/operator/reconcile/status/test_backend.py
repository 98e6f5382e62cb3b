"""The condition BackendReady."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from tests.unit.operator.desired.test_backend import name_of, revision, upstream
from tests.unit.operator.worlds import (
    DEFAULTS,
    NAME,
    NOW,
    OPEN,
    POLICY,
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

NONE = {"availableReplicas": 0, "readyReplicas": 0}
ELSEWHERE = {"backend": {"upstream": {"url": "http://kokoro:8880/v1", "voices": [{"name": "a"}]}}}
NO_GPU = "0/3 nodes are available: 3 Insufficient nvidia.com/gpu."


def ended(name: str, reason: str, message: str = "", code: int = 1) -> Json:
    return {"name": name, "state": {"terminated": {"exitCode": code, "reason": reason, "message": message}}}


def told(
    spec: Json, *, front: Json | None = None, back: Json | None = None, pods: Sequence[Pod] = (),
    backends: Sequence[Pod] = (),
) -> dict[str, Json]:  # fmt: skip
    """The conditions by type, with these states of the Deployments and these pods."""
    asked = service(spec)
    observed = world(asked, deployment=front)
    for at, each in observed.children.items():
        if at[1] == "Deployment" and at[2] != NAME:
            each["status"] = counts(wanted=2, **(back or {}))
    for failing in backends:
        failing["metadata"]["labels"] = dict(revision(spec).backend.template["metadata"]["labels"])  # type: ignore[union-attr]
    observed = replace(observed, pods=pods, backends=backends)
    plan = planned(asked, observed, DEFAULTS, now=NOW, policy=OPEN)
    status = compute_status(asked, observed, plan, Applied(), NOW)
    return {each["type"]: each for each in status["conditions"]}


def test_without_a_backend_there_is_no_condition() -> None:
    assert "BackendReady" not in told({})


@pytest.mark.parametrize("spec", [upstream(), upstream(mode="Sidecar"), ELSEWHERE], ids=["separate", "sidecar", "url"])
def test_a_backend_that_is_ready(spec: Json) -> None:
    found = told(spec)
    assert (found["BackendReady"]["status"], found["Ready"]["status"]) == ("True", "True")


@pytest.mark.parametrize(
    "failing, reason, said",
    [
        (
            {"conditions": [condition("PodScheduled", "False", reason="Unschedulable", message=NO_GPU)]},
            "Unschedulable",
            "Insufficient nvidia.com/gpu. -- add nodes with what backend needs, such as GPUs",
        ),
        (
            {"containers": [ended("backend", "OOMKilled", code=137)]},
            "OOMKilled",
            "raise resources.limits.memory of backend's container",
        ),
        (
            {"containers": [ended("backend", "Error", "failed to load 'acoustic' version 1")]},
            "Error",
            "failed to load 'acoustic'",
        ),
        (
            {"containers": [{"name": "backend", "state": {"waiting": {"reason": "ImagePullBackOff"}}}]},
            "ImagePullBackOff",
            "check image of backend's container",
        ),
        ({"init": [ended("write-models", "Error", "no space")]}, "Error", "no space"),
    ],
    ids=["no GPU", "memory", "model", "image", "models"],
)
def test_the_cause_is_that_of_its_pods(failing: Json, reason: str, said: str) -> None:
    found = told(upstream(), front=counts(**NONE), back=NONE, backends=[pod(f"{name_of(upstream())}-1", **failing)])
    ready = found["BackendReady"]
    assert (ready["status"], ready["reason"]) == ("False", reason)
    assert said in ready["message"]
    assert found["Ready"]["status"] == "False"


def test_a_sidecar_that_fails() -> None:
    init: list[Any] = [ended("backend", "OOMKilled", code=137)]
    found = told(upstream(mode="Sidecar"), front=counts(**NONE), pods=[pod(init=init)])
    assert (found["BackendReady"]["status"], found["BackendReady"]["reason"]) == ("False", "OOMKilled")
    assert "of backend's container" in found["BackendReady"]["message"]


@pytest.mark.parametrize("spec", [upstream(), upstream(mode="Sidecar"), ELSEWHERE], ids=["separate", "sidecar", "url"])
def test_a_backend_that_runs_but_that_no_server_can_use(spec: Json) -> None:
    shapes = "Its input mel is FP32 [96, 80] instead of FP32 [144, 80]."
    found = told(spec, front=counts(**NONE), pods=[pod(containers=[ended("server", "Error", shapes, 3)])])
    assert found["BackendReady"]["status"] == "False"
    assert shapes in found["BackendReady"]["message"]
    waiting = told(spec, front=counts(**NONE), pods=[pod()])["BackendReady"]
    assert (waiting["status"], waiting["reason"]) == ("False", "ServersNotReady")
    assert "kubectl tts logs" in waiting["message"]


@pytest.mark.parametrize("ends", [True, False])
def test_a_service_that_still_speaks_without_its_new_backend(ends: bool) -> None:
    """Nothing of the backend serves, so it is not reported as ready."""
    asked = service(upstream(), status={"currentRevision": revision({}).name, "observedGeneration": 1})
    old = [applied(revision({}).manifest(asked)), applied(replace(revision(upstream()), number=2).manifest(asked))]
    kept = [applied(each) for each in children(service({}), DEFAULTS) if each["kind"] == "Deployment"]
    for each in kept:
        each["status"] = counts()
    observed = replace(
        world(service({}), live=[*old, *kept]), backends=[pod("b", containers=[ended("backend", "OOMKilled")])]
    )
    observed.backends[0]["metadata"]["labels"] = {"app.kubernetes.io/name": "tts-backend"}
    if not ends:
        observed = replace(observed, backends=[])
    plan = planned(asked, observed, DEFAULTS, now=NOW, policy=OPEN)
    found = {each["type"]: each for each in compute_status(asked, observed, plan, Applied(), NOW)["conditions"]}
    assert (found["Available"]["status"], found["BackendReady"]["status"]) == ("True", "False")
    assert found["BackendReady"]["reason"] == ("OOMKilled" if ends else "RolloutInProgress")


def test_what_was_said_stays_while_nothing_is_decided() -> None:
    said = condition("BackendReady", "False", reason="OOMKilled", message="backend: it ended", lastTransitionTime=NOW)
    asked = service(upstream(), status={"conditions": [said], "observedGeneration": 1})
    observed = world(asked)
    plan = planned(asked, observed, DEFAULTS, now=NOW, policy=POLICY)
    assert plan.violation
    found = {each["type"]: each for each in compute_status(asked, observed, plan, Applied(), NOW)["conditions"]}
    assert (found["BackendReady"]["reason"], found["BackendReady"]["message"]) == ("OOMKilled", "backend: it ended")


def test_a_service_that_is_scaled_to_zero_says_nothing_about_its_backend() -> None:
    found = told({**ELSEWHERE, "replicas": 0}, front=counts(wanted=0))
    assert found["BackendReady"]["status"] == "True"
