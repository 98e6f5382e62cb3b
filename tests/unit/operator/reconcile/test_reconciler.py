"""Which requests the reconciler sends, and when."""

import asyncio
from collections.abc import Callable
from typing import cast

import aiohttp
import pytest

from tests.unit.operator.accepting import CONFLICT, INVALID, KEY, World, converged, refusal
from tests.unit.operator.worlds import NAMESPACE, UID, applied, body, counts, everything, pod
from tts_operator.json_object import Json
from tts_operator.kube import ApiError
from tts_operator.kube.resources import CHILDREN, DEPLOYMENTS, SERVICES
from tts_operator.reconcile.observed.trimming import whole
from tts_operator.reconcile.reconciler import REFUSED_AGAIN_SECONDS
from tts_operator.reconcile.status.writer import STATUS_SECONDS, _immediate
from tts_operator.runtime.workers import RetryError

pytestmark = pytest.mark.usefixtures("clock")


async def test_a_new_service() -> None:
    world = World(body())
    assert await world.reconcile() is None
    assert world.api.requests[0] == ("apply", "ControllerRevision"), "it says what the pods are to be made of"
    assert world.api.requests[1] == ("apply", "ServiceAccount"), "pods need it"
    assert sorted(world.api.requests[2:5]) == [
        ("apply", "Deployment"),
        ("apply", "PodDisruptionBudget"),
        ("apply", "Service"),
    ]
    assert world.api.requests[5:] == [("status", "TTSService")]
    assert world.ready() == ("False", "RolloutInProgress")


async def test_an_unchanged_world_is_left_in_peace() -> None:
    world = await converged()
    for _ in range(3):
        assert await world.reconcile() is None
    assert not world.api.requests


async def test_a_restart_makes_no_request() -> None:
    world = await converged()
    world.restart()
    await world.reconcile()
    assert not world.api.requests


async def test_a_worker_of_jobs_that_fails_is_no_failure_of_the_servers() -> None:
    jobs = {"storage": {"persistentVolumeClaim": {}}, "kafka": {"bootstrapServers": ["kafka:9092"]}}
    world = await converged({"jobs": jobs})
    ended = {"exitCode": 3, "reason": "Error", "message": "These topics do not exist: speech.narrator.jobs."}
    worker = pod("narrator-worker-1", containers=[{"name": "server", "state": {"terminated": ended}}])
    worker["metadata"]["labels"] = {"app.kubernetes.io/name": "tts-server-worker"}
    world.pods.put(cast("Json", worker))
    world.deployment(**counts(wanted=3, availableReplicas=2))
    await world.reconcile()
    found = {each["type"]: each for each in world.api.statuses[-1]["conditions"]}
    assert found["JobsReady"]["reason"] == "Error"
    assert "These topics do not exist" in found["JobsReady"]["message"]
    assert found["WorkloadReady"]["reason"] == "PodsNotReady"
    assert "narrator-worker-1" not in found["WorkloadReady"]["message"]


@pytest.mark.parametrize("kind", [resource.kind for resource in CHILDREN])
async def test_drift_takes_one_request(kind: str) -> None:
    world = await converged({**everything(), "paused": False})
    store = next(store for resource, store in world.children.items() if resource.kind == kind)
    live = whole(next(iter(store)))
    store.put({**live, "metadata": {**live["metadata"], "labels": {}, "resourceVersion": "999"}})
    await world.reconcile()
    assert ("force", kind) in world.api.requests
    assert {found for _, found in world.api.requests} <= {kind, "TTSService"}


@pytest.mark.parametrize(
    "found", [None, body(deletionTimestamp="2026-01-01T00:00:00Z")], ids=["gone", "on its way out"]
)
async def test_what_is_deleted_is_left_to_the_garbage_collector(found: Json | None) -> None:
    world = World(found)
    assert await world.reconcile() is None
    assert not world.api.requests


async def test_paused_only_reports() -> None:
    world = World(body({"paused": True}))
    await world.reconcile()
    assert world.api.requests == [("status", "TTSService")]


@pytest.mark.parametrize(
    "answer, after",
    [
        (refusal(429, "TooManyRequests", retry_after=7.0), 7.0),
        (refusal(503, "ServiceUnavailable"), 0.0),
        (refusal(401, "Unauthorized"), 0.0),
        (aiohttp.ServerDisconnectedError(), 0.0),
        (TimeoutError(), 0.0),
    ],
)
@pytest.mark.parametrize("request_", [("apply", "ServiceAccount"), ("apply", "Deployment"), ("status", "TTSService")])
async def test_what_passes_is_tried_again(request_: tuple[str, str], answer: Exception, after: float) -> None:
    world = World(body())
    world.api.answers[request_] = answer
    with pytest.raises(RetryError) as raised:
        await world.reconcile()
    assert raised.value.after == after


@pytest.mark.parametrize(
    "answer, reason",
    [
        (refusal(403, "Forbidden"), "Forbidden"),
        (refusal(400, "BadRequest"), "BadRequest"),
        (refusal(413, "RequestEntityTooLarge"), "RequestEntityTooLarge"),
    ],
)
async def test_what_is_refused_for_good_is_told_and_looked_at_again_later(answer: ApiError, reason: str) -> None:
    world = World(body())
    world.api.answers["apply", "Service"] = answer
    assert await world.reconcile() == REFUSED_AGAIN_SECONDS
    assert world.ready() == ("False", reason)
    assert ("apply", "Deployment") in world.api.requests, "the others are not held up"
    assert ("create", "Event") in world.api.requests
    world.api.requests.clear()
    assert await world.reconcile() == REFUSED_AGAIN_SECONDS
    assert world.api.requests == [("apply", "Service")], "the same refusal is no news"


@pytest.mark.parametrize(
    "answer",
    [refusal(404, "NotFound"), refusal(403, "Forbidden", "NamespaceTerminating")],
    ids=["gone", "its namespace is going"],
)
@pytest.mark.parametrize("request_", [("apply", "Deployment"), ("status", "TTSService")])
async def test_nothing_is_done_for_what_has_ended(request_: tuple[str, str], answer: ApiError) -> None:
    world = World(body())
    world.api.answers[request_] = answer
    assert await world.reconcile() is None
    assert ("create", "Event") not in world.api.requests


OURS: Json = {
    "metadata": {"uid": "1", "resourceVersion": "1", "ownerReferences": [{"uid": UID, "controller": True}]},
    "spec": {},
}
THEIRS: Json = {"metadata": {"ownerReferences": [{"uid": "another", "controller": True}]}, "spec": {}}


@pytest.mark.parametrize("live", [THEIRS, {"metadata": {}}], ids=["another's", "nobody's"])
@pytest.mark.parametrize("answer", [CONFLICT, INVALID])
async def test_what_is_not_ours_is_not_touched(live: Json, answer: ApiError) -> None:
    world = World(body())
    world.api.answers["apply", "Service"] = answer
    world.api.live["Service"] = live
    assert await world.reconcile() == REFUSED_AGAIN_SECONDS
    assert world.ready() == ("False", "NameTaken")
    assert not {("force", "Service"), ("replace", "Service")} & set(world.api.requests)


@pytest.mark.parametrize(
    "answer, then",
    [
        (CONFLICT, ["get", "force"]),
        (INVALID, ["get", "replace", "force"]),
    ],
)
async def test_what_is_ours_is_mended(answer: ApiError, then: list[str]) -> None:
    world = World(body())
    world.api.answers["apply", "Service"] = [answer]
    world.api.live["Service"] = OURS
    assert await world.reconcile() is None
    assert [verb for verb, kind in world.api.requests if kind == "Service"] == ["apply", *then]


@pytest.mark.parametrize("verb", ["apply", "force"])
async def test_conflicts_over_what_is_ours_are_no_refusal(verb: str) -> None:
    world = World(body()) if verb == "apply" else await converged()
    if verb == "force":
        kept = whole(*world.children[SERVICES])
        metadata = {**kept["metadata"], "labels": {}, "resourceVersion": "999"}
        world.children[SERVICES].put({**kept, "metadata": metadata})
    world.api.answers[verb, "Service"] = world.api.answers["force", "Service"] = CONFLICT
    world.api.live["Service"] = OURS
    with pytest.raises(RetryError):
        await world.reconcile()
    assert [each for each, kind in world.api.requests if kind == "Service"] == [verb, "get", "force"]
    del world.api.answers["force", "Service"]
    await world.reconcile()
    assert world.ready()[1] != "NameTaken"


async def test_what_cannot_be_mended_is_told() -> None:
    world = World(body())
    world.api.answers["apply", "Service"] = INVALID
    world.api.answers["replace", "Service"] = INVALID
    world.api.live["Service"] = OURS
    assert await world.reconcile() == REFUSED_AGAIN_SECONDS
    assert world.ready() == ("False", "Invalid")


@pytest.mark.parametrize("answer", [refusal(403, "Forbidden"), refusal(500, ""), TimeoutError()])
async def test_an_event_that_cannot_be_written_stops_nothing(answer: Exception) -> None:
    world = World(body())
    await world.reconcile()
    world.deployment()
    world.api.answers["create", "Event"] = answer
    assert await world.reconcile() is None
    assert world.ready() == ("True", "Ready")


@pytest.mark.parametrize("kind", ["Ready", "RouteReady", "CertificateReady", "ModelReady", "BackendReady", "JobsReady"])
async def test_a_change_of_a_condition_that_ready_depends_on_is_written_at_once(kind: str) -> None:
    before, after = ({"conditions": [{"type": kind, "status": each}]} for each in ("True", "False"))
    assert _immediate(before) != _immediate(after)


async def test_mere_progress_is_written_once_a_second() -> None:
    world = World(body())
    await world.reconcile()
    world.deployment(readyReplicas=1, availableReplicas=0)
    wait = await world.reconcile()
    assert wait == pytest.approx(STATUS_SECONDS)
    assert len(world.api.statuses) == 1
    world.deployment(readyReplicas=2, availableReplicas=0)
    assert wait is not None
    await asyncio.sleep(wait)
    assert await world.reconcile() is None
    assert world.api.statuses[-1]["readyReplicas"] == 2
    assert len(world.api.statuses) == 2


@pytest.mark.parametrize(
    "status", [{}, {"replicas": 4, "conditions": [{"type": "Progressing", "reason": "ProgressDeadlineExceeded"}]}]
)
async def test_a_verdict_is_written_at_once(status: Json) -> None:
    world = World(body())
    await world.reconcile()
    world.deployment(**status)
    assert await world.reconcile() is None
    assert len(world.api.statuses) == 2


async def test_a_deployment_that_somebody_touched_is_no_news_until_its_controller_has_looked() -> None:
    world = await converged()
    world.deployment(observedGeneration=0)
    await world.reconcile()
    assert not world.api.requests
    world.deployment(readyReplicas=2, availableReplicas=2)
    await world.reconcile()
    assert world.ready() == ("False", "PodsNotReady")


async def test_what_is_no_longer_wanted_is_deleted() -> None:
    world = await converged()
    stray = applied(
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"namespace": NAMESPACE, "name": "old", **OURS["metadata"]},
        }
    )
    world.children[DEPLOYMENTS].put(stray)
    await world.reconcile()
    assert world.api.requests == [("delete", "Deployment old")]


async def test_what_was_needed_until_its_successor_is_made_goes_without_waiting_for_news() -> None:
    """The successor may cause no event: the answer to our own apply is already in the cache."""
    world = await converged({"gateway": {"parentRefs": [{"name": "public"}]}})
    spec = {"ingress": {"host": "speech.example.com"}}
    world.api.spec, world.api.generation, world.api.version = spec, 2, world.api.version + 1
    status = world.api.statuses[-1]
    world.services.put(body(spec, status=status, generation=2, resourceVersion=str(world.api.version)))
    assert await world.reconcile() == 0.0
    assert ("delete", "HTTPRoute narrator") not in world.api.requests, "clients still come by it"
    assert await world.reconcile() is None
    assert world.api.requests.count(("delete", "HTTPRoute narrator")) == 1


async def test_a_bug_is_not_taken_for_a_refusal() -> None:
    world = World(body())
    world.api.answers["apply", "Deployment"] = KeyError("a bug")
    with pytest.raises(KeyError):
        await world.reconcile()


async def test_nothing_is_remembered_of_what_is_gone() -> None:
    world = await converged()
    found = world.services.get(*KEY)
    assert found is not None
    world.services.remove(found)
    await world.reconcile()
    assert not world.reconciler._status_writer._written


@pytest.mark.parametrize("edit", [lambda s: s.update(replicas=5), lambda s: s.update(paused=True)])
async def test_a_change_of_the_spec_is_told_at_once(edit: Callable[[Json], object]) -> None:
    world = await converged()
    found = world.services.get(*KEY)
    assert found is not None
    spec = dict(found["spec"])
    edit(spec)
    metadata = found["metadata"] | {"generation": 2, "resourceVersion": "999"}
    world.services.put({**found, "metadata": metadata, "spec": spec})
    await world.reconcile()
    assert world.api.statuses[-1]["observedGeneration"] == 2
