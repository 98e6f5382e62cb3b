"""Which replicas are written, from a fixed number to an autoscaler and back."""

import pytest

from tests.unit.operator.accepting import CONFLICT, INVALID, World, converged, refusal
from tests.unit.operator.worlds import DEFAULTS, NAME, NAMESPACE, NOW, OPEN, applied, plan, service, world
from tts_operator.api import TTSService
from tts_operator.desired import children
from tts_operator.desired.identity import candidate_name
from tts_operator.json_object import Json
from tts_operator.kube.resources import DEPLOYMENTS
from tts_operator.reconcile.observed.snapshot import Observed, address
from tts_operator.reconcile.observed.trimming import whole
from tts_operator.reconcile.rollout.replicas import (
    leave_to_autoscaler,
    replicas,
    scaled_names,
    worker_scale,
)
from tts_operator.runtime.workers import RetryError


def deployment(asked: TTSService, count: int, *, ours: bool = True) -> Json:
    """The Deployment, with as many replicas; written by us, or by an autoscaler."""
    (manifest,) = (each for each in children(asked, DEFAULTS) if each["kind"] == "Deployment")
    live = applied(manifest)
    live["spec"]["replicas"] = count
    if not ours:
        del live["metadata"]["managedFields"][0]["fieldsV1"]["f:spec"]["f:replicas"]
    return live


def foreign_hpa(target: str = NAME, kind: str = "Deployment") -> Json:
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "mine", "namespace": NAMESPACE, "resourceVersion": "1", "uid": "mine"},
        "spec": {"scaleTargetRef": {"kind": kind, "name": target}},
    }


AUTO: Json = {"autoscaling": {"minReplicas": 4}}


@pytest.mark.parametrize(
    "spec, live, ours, foreign, written",
    [
        ({}, None, True, None, 3),
        ({"replicas": 7}, 3, True, None, 7),
        ({"replicas": 7}, 9, False, None, 7),  # an autoscaler has been, and is gone
        (AUTO, None, True, None, 4),
        (AUTO, 9, True, None, 9),  # as it is, until the autoscaler has written it
        (AUTO, 9, False, None, None),
        (AUTO, 2, True, None, 4),  # not below what it will be
        (AUTO, 0, True, None, 4),  # an autoscaler would leave it at nothing
        (AUTO, 1, False, None, None),
        ({}, 9, True, foreign_hpa(), 9),
        ({}, 9, False, foreign_hpa(), None),
        ({}, 9, False, foreign_hpa(kind="StatefulSet"), 3),
    ],
)
def test_replicas(spec: Json, live: int | None, ours: bool, foreign: Json | None, written: int | None) -> None:
    asked = service(spec)
    found = None if live is None else deployment(asked, live, ours=ours)
    children = [each for each in (found, foreign) if each is not None]
    observed = Observed(children={address(each): each for each in children})
    assert replicas(asked, observed) == written


def planned(asked: TTSService, live: Json) -> tuple[Json, Json | None]:
    """The Deployment to apply over `live`, and what our other field manager must own."""
    todo = plan(asked, world(asked, live=[live]), DEFAULTS, now=NOW, policy=OPEN)
    (found,) = (each for each in todo.apply if each["kind"] == "Deployment")
    return found, todo.kept.get(address(found))


WORKER = f"{NAME}-worker"
KEDA = frozenset({("keda.sh/v1alpha1", "ScaledObject")})


def work(**workers: object) -> Json:
    bucket = {"bucket": "books", "credentialsSecretRef": {"name": "books"}}
    asked = {"storage": {"s3": bucket}, "kafka": {"bootstrapServers": ["kafka:9092"]}}
    return {"jobs": {**asked, "workers": workers} if workers else asked}


SCALED = work(autoscaling={"minReplicas": 0})


def worker_deployment(asked: TTSService, count: int, *, ours: bool = True) -> Json:
    """The Deployment of the workers, with as many replicas; written by us, or by an autoscaler."""
    made = (each for each in children(asked, DEFAULTS) if each["kind"] == "Deployment")
    (manifest,) = (each for each in made if each["metadata"]["name"] == WORKER)
    live = applied(manifest)
    live["spec"]["replicas"] = count
    if not ours:
        del live["metadata"]["managedFields"][0]["fieldsV1"]["f:spec"]["f:replicas"]
    return live


@pytest.mark.parametrize(
    "spec, live, foreign, keda, written",
    [
        (work(), None, None, True, 2),
        (work(replicas=7), (3, True), None, True, 7),
        (work(replicas=7), (0, False), None, True, 7),  # an autoscaler has been, and is gone
        (SCALED, None, None, True, 1),  # the first one finds out whether jobs can be spoken
        (SCALED, (2, True), None, True, 2),
        (SCALED, (9, False), None, True, None),
        (SCALED, (0, False), None, True, None),  # KEDA starts one when there is work
        (SCALED, (9, False), None, False, None),
        (SCALED, (0, False), None, False, 1),  # KEDA is gone, and nothing else would ever start one
        (work(autoscaling={"minReplicas": 3}), (0, False), None, False, 3),
        (work(), (9, False), foreign_hpa(WORKER), True, None),
        (work(), (9, False), foreign_hpa(), True, 2),  # it scales the servers
    ],
)
def test_the_number_of_workers(
    spec: Json, live: tuple[int, bool] | None, foreign: Json | None, keda: bool, written: int | None
) -> None:
    """`live` is how many there are, and whether we wrote that."""
    asked = service(spec)
    found = None if live is None else worker_deployment(asked, live[0], ours=live[1])
    there = [each for each in (found, foreign) if each is not None]
    observed = Observed(children={address(each): each for each in there}, unserved=frozenset() if keda else KEDA)
    assert worker_scale(asked, observed).replicas == written
    assert worker_scale(asked, observed).by_keda is keda


def test_a_kind_that_this_operator_may_not_make_counts_as_missing() -> None:
    assert not worker_scale(service(SCALED), Observed(without=KEDA)).by_keda


PLACED: Json = {"placement": {"nodeSelector": {"pool": "batch"}}}


def planned_workers(asked: TTSService, live: Json) -> tuple[Json, Json | None]:
    """The Deployment of the workers to apply over `live`, and what our other field manager must own."""
    todo = plan(asked, world(asked, live=[live]), DEFAULTS, now=NOW, policy=OPEN)
    (found,) = (each for each in todo.apply if (each["kind"], each["metadata"]["name"]) == ("Deployment", WORKER))
    return found, todo.kept.get(address(found))


def test_a_change_of_workers_under_an_autoscaler_says_nothing_of_their_number() -> None:
    changed = service(work(autoscaling={"minReplicas": 0}, **PLACED))
    found, kept = planned_workers(changed, worker_deployment(service(SCALED), 9, ours=False))
    assert "replicas" not in found["spec"]
    assert kept is None


def test_a_number_of_workers_that_an_autoscaler_may_write_meanwhile_is_left_out_and_kept() -> None:
    changed = service(work(autoscaling={"minReplicas": 0}, **PLACED))
    found, kept = planned_workers(changed, worker_deployment(service(work(replicas=5)), 5))
    assert "replicas" not in found["spec"]
    assert kept is not None
    assert kept["spec"] == {"replicas": 5}


def test_workers_that_nothing_scales_keep_their_number_beside_servers_that_something_does() -> None:
    changed = service({**work(replicas=5, **PLACED), **AUTO})
    found, kept = planned_workers(changed, worker_deployment(service(work(replicas=5)), 5))
    assert found["spec"]["replicas"] == 5
    assert kept is None


def test_a_change_under_an_autoscaler_says_nothing_of_replicas() -> None:
    live = deployment(service(AUTO), 9, ours=False)
    found, kept = planned(service({**AUTO, "rollout": {"maxSurge": 2}}), live)
    assert "replicas" not in found["spec"]
    assert kept is None


def test_replicas_that_an_autoscaler_may_write_meanwhile_are_left_out_and_kept() -> None:
    live = deployment(service({"replicas": 9}), 9)
    found, kept = planned(service({**AUTO, "rollout": {"maxSurge": 2}}), live)
    assert "replicas" not in found["spec"]
    assert "resourceVersion" not in found["metadata"], "a new status must not make it a conflict"
    names = {name: live["metadata"][name] for name in ("namespace", "name", "uid")}
    assert kept == {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": names, "spec": {"replicas": 9}}


def test_more_replicas_under_an_autoscaler_are_applied_to_what_was_seen_only() -> None:
    live = deployment(service({"replicas": 2}), 2)
    found, kept = planned(service(AUTO), live)
    assert found["spec"]["replicas"] == 4
    assert found["metadata"]["resourceVersion"] == live["metadata"]["resourceVersion"]
    assert kept is None


def test_a_second_set_that_no_autoscaler_scales_keeps_its_replicas() -> None:
    """If they were omitted once, they would be set and omitted alternately, forever."""
    live = deployment(service(AUTO), 4)
    second = {**live, "metadata": {**live["metadata"], "name": candidate_name(service(AUTO))}}
    observed = Observed(children={address(each): each for each in (live, second)})
    scaled = scaled_names(children(service(AUTO), DEFAULTS))
    assert leave_to_autoscaler([second], observed, scaled) == ([second], {})
    assert leave_to_autoscaler([live], observed, scaled) != ([live], {})


def test_without_an_autoscaler_they_are_applied_to_whatever_is_there() -> None:
    found, kept = planned(service(), deployment(service(), 9))
    assert found["spec"]["replicas"] == 3
    assert "resourceVersion" not in found["metadata"]
    assert kept is None


async def edited() -> World:
    """A service with an autoscaler that has not written yet, and somebody has edited its Deployment."""
    found = await converged({"autoscaling": {"minReplicas": 3}})
    await found.reconcile()
    deployments = found.children[DEPLOYMENTS]
    live = whole(*deployments)
    metadata = {**live["metadata"], "resourceVersion": "999", "generation": 2}
    deployments.put({**live, "metadata": metadata, "spec": {**live["spec"], "progressDeadlineSeconds": 77}})
    found.api.requests.clear()
    return found


@pytest.mark.usefixtures("clock")
async def test_replicas_are_kept_before_they_are_left_out() -> None:
    found = await edited()
    await found.reconcile()
    assert found.api.requests[:2] == [("keep", "Deployment"), ("force", "Deployment")]


@pytest.mark.usefixtures("clock")
@pytest.mark.parametrize("answer", [CONFLICT, refusal(500, "InternalError"), TimeoutError(), INVALID])
async def test_replicas_that_could_not_be_kept_are_not_left_out(answer: Exception) -> None:
    found = await edited()
    found.api.answers["keep", "Deployment"] = answer
    with pytest.raises(RetryError):
        await found.reconcile()
    assert ("keep", "Deployment") in found.api.requests
    assert ("force", "Deployment") not in found.api.requests, "they would fall to 1"
    assert found.ready() == ("True", "Ready"), "nothing to tell yet"
