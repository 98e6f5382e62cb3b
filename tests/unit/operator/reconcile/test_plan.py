from collections.abc import Callable
from typing import Any

import pytest

from tests.unit.operator.worlds import DEFAULTS, NAMESPACE, NOW, OPEN, UID, applied, everything, plan, service, world
from tts_operator.api import TTSService
from tts_operator.desired import Defaults, children
from tts_operator.json_object import Json
from tts_operator.kube.resources import CHILDREN, DISPENSABLE, SCALED_OBJECTS, Resource
from tts_operator.objects import Pod
from tts_operator.reconcile.observed.ownership import owned_by
from tts_operator.reconcile.observed.snapshot import Observed, address
from tts_operator.reconcile.status.missing_kinds import FEATURES

KINDS = ["ServiceAccount", "ControllerRevision", "Service", "PodDisruptionBudget", "Deployment"]
EVERYTHING: Json = {
    "service": {"annotations": {"a": "b"}},
    "placement": {"nodeSelector": {"disk": "fast"}, "tolerations": [{"key": "spot", "operator": "Exists"}]},
    "image": {"repository": "example.com/server", "pullSecrets": [{"name": "registry"}]},
}


def kinds(manifests: Any) -> list[str]:
    return [manifest["kind"] for manifest in manifests]


def steps(asked: TTSService, observed: Observed, defaults: Defaults = DEFAULTS) -> tuple[list[str], list[Json]]:
    """The kinds to apply, and the objects to delete."""
    found = plan(asked, observed, defaults, now=NOW, policy=OPEN)
    return kinds(found.apply), list(found.delete)


IN_OTHER_WORDS: Json = {"resources": {"requests": {"cpu": "1000m"}, "limits": {"cpu": "2.0"}}}
NOTHING: tuple[list[str], list[Json]] = ([], [])


def edited(observed: Observed, kind: str, edit: Callable[[Json], object]) -> Observed:
    for child in observed.children.values():
        if child["kind"] == kind:
            edit(child)
    return observed


@pytest.mark.parametrize("spec", [{}, EVERYTHING, {"replicas": 0}, {"disruption": {"minAvailable": 1}}])
def test_an_unchanged_world_wants_nothing(spec: Json) -> None:
    asked = service(spec)
    assert steps(asked, world(asked)) == NOTHING


def test_a_new_service_wants_everything_in_order() -> None:
    asked = service()
    found = plan(asked, Observed(), DEFAULTS, now=NOW, policy=OPEN)
    assert found.apply == children(asked, DEFAULTS)
    assert kinds(found.apply)[0] == "ServiceAccount"
    assert kinds(found.apply)[-1] == "Deployment"
    assert not found.delete


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_deleted_is_applied_again_alone(kind: str) -> None:
    asked = service()
    assert kinds(plan(asked, world(asked, without=kind), DEFAULTS, now=NOW, policy=OPEN).apply) == [kind]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "edit",
    [
        lambda live: live["metadata"]["labels"].clear(),
        lambda live: live["metadata"]["labels"].update({"app.kubernetes.io/name": "other"}),
        lambda live: live["metadata"].pop("ownerReferences"),
        lambda live: live["metadata"]["ownerReferences"][0].update(uid="of-an-earlier-object"),
        lambda live: live["metadata"].pop("managedFields"),
    ],
    ids=["labels lost", "label changed", "owner lost", "owner is of an earlier life", "records lost"],
)
def test_what_drifted_is_applied_alone(kind: str, edit: Callable[[Json], object]) -> None:
    asked = service()
    assert kinds(plan(asked, edited(world(asked), kind, edit), DEFAULTS, now=NOW, policy=OPEN).apply) == [kind]


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_going_is_waited_for(kind: str) -> None:
    asked = service()
    going = edited(world(asked), kind, lambda live: live["metadata"].update(deletionTimestamp=NOW))
    assert steps(asked, going) == NOTHING


@pytest.mark.parametrize(
    "spec, changed",
    [
        ({"replicas": 4}, ["Deployment"]),
        ({"service": {"port": 81}}, ["Service"]),
        ({"service": {"annotations": {"a": "b"}}}, ["Service"]),
        ({"disruption": {"minAvailable": 2}}, ["PodDisruptionBudget"]),
        # The new revision, and the one before, which is marked as having been stable.
        ({"server": {"logLevel": "debug"}}, ["ControllerRevision", "ControllerRevision", "Deployment"]),
        # The same in other words is another revision, but the same pods.
        ({"resources": {"requests": {"cpu": "1000m"}}}, ["ControllerRevision", "ControllerRevision", "Deployment"]),
        ({"model": {"engine": "fastspeech2"}}, []),
    ],
)
def test_a_change_of_the_spec_reaches_the_children_concerned(spec: Json, changed: list[str]) -> None:
    assert kinds(plan(service(spec), world(service()), DEFAULTS, now=NOW, policy=OPEN).apply) == changed


def test_the_same_in_other_words_are_the_same_pods() -> None:
    found = [plan(service(spec), Observed(), DEFAULTS, now=NOW, policy=OPEN).apply[-1] for spec in ({}, IN_OTHER_WORDS)]
    labels = [each["spec"]["template"]["metadata"]["labels"] for each in found]
    assert labels[0] == labels[1]


@pytest.mark.parametrize("spec", [{"service": {"annotations": {"a": "b"}}}, EVERYTHING])
def test_what_the_spec_gives_up_is_given_up(spec: Json) -> None:
    assert "Service" in kinds(plan(service(), world(service(spec)), DEFAULTS, now=NOW, policy=OPEN).apply)


def test_other_defaults_of_a_new_operator_change_nothing() -> None:
    other = Defaults(image="ghcr.io/tts-operator/tts-server:v9")
    assert steps(service(), world(service()), other) == NOTHING


@pytest.mark.parametrize(
    "asked", [service({"paused": True}), service(deletionTimestamp=NOW)], ids=["paused", "deleted"]
)
def test_hands_off(asked: Any) -> None:
    assert steps(asked, Observed()) == NOTHING
    assert steps(asked, world(service({"replicas": 7}), without="Service")) == NOTHING


OWNER = {"apiVersion": "tts-operator.io/v1alpha1", "kind": "TTSService", "name": "narrator", "uid": UID}


def stray(*owners: Json, **metadata: str) -> Json:
    manifest = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"namespace": NAMESPACE, "name": "narrator-old", "ownerReferences": list(owners), **metadata},
    }
    return applied(manifest)


@pytest.mark.parametrize(
    "live, pruned",
    [
        (stray({**OWNER, "controller": True}), True),
        (stray({**OWNER, "controller": True}, deletionTimestamp=NOW), False),
        (stray({**OWNER, "controller": False}), False),
        (stray(OWNER), False),
        (stray({**OWNER, "controller": True, "uid": "another"}), False),
        (stray({**OWNER, "uid": "another", "controller": True}, OWNER), False),
        (stray(), False),
    ],
)
def test_only_what_is_ours_and_unwanted_is_pruned(live: Json, pruned: bool) -> None:
    asked = service()
    there = world(asked)
    observed = Observed(children={**there.children, address(live): live})
    assert steps(asked, observed) == ([], [live] if pruned else [])


def test_the_service_of_a_candidate_stays_until_its_pods_have_stopped() -> None:
    """A gateway that learns of the deleted Service before the changed HTTPRoute answers 500."""
    asked = service()
    there = world(asked)
    live = stray({**OWNER, "controller": True}, name="narrator-candidate")
    deployment = {**live, "apiVersion": "apps/v1", "kind": "Deployment"}
    left = {**there.children, address(live): live, address(deployment): deployment}
    labels = {"app.kubernetes.io/name": "tts-server-candidate"}
    pod: Pod = {
        "metadata": {"name": "a", "labels": labels, "deletionTimestamp": NOW},
        "status": {"phase": "Running"},
    }
    found = plan(asked, Observed(children=left, pods=[pod]), DEFAULTS, now=NOW, policy=OPEN)
    assert (kinds(found.delete), found.waiting) == (["Deployment"], True)
    ended: Pod = {**pod, "status": {"phase": "Failed"}}
    found = plan(asked, Observed(children=left, pods=[ended]), DEFAULTS, now=NOW, policy=OPEN)
    assert (sorted(kinds(found.delete)), found.waiting) == (["Deployment", "Service"], False)


def test_owned_by_without_owners() -> None:
    assert not owned_by({"metadata": {}}, service())


@pytest.mark.parametrize(
    "kind", [pytest.param(kind, id=kind.kind) for kind in sorted(DISPENSABLE, key=lambda kind: kind.kind)]
)
def test_what_the_operator_does_without_is_not_made_and_all_else_is(kind: Resource) -> None:
    asked = service({**everything(), "paused": False})
    off = frozenset({(kind.api_version, kind.kind)})
    found = plan(asked, Observed(without=off), DEFAULTS, now=NOW, policy=OPEN)
    # Another kind does the work of a ScaledObject.
    assert set(kinds(found.missing)) == ({kind.kind} if kind != SCALED_OBJECTS else set())
    assert set(kinds(found.apply)) == {each.kind for each in CHILDREN if each != kind}


def test_for_all_that_can_be_done_without_there_is_a_word() -> None:
    assert FEATURES.keys() == {kind.kind for kind in DISPENSABLE} - {SCALED_OBJECTS.kind}
