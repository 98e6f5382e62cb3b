"""Who owns an object with the name of a child, and what happens to it."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from tests.unit.operator.cluster import Cluster
from tests.unit.operator.rolling import spec
from tests.unit.operator.rollouts import Simulation
from tests.unit.operator.worlds import DEFAULTS, UID, applied, everything, service
from tts_operator.desired import children
from tts_operator.json_object import Json
from tts_operator.kube.client import FIELD_MANAGER
from tts_operator.reconcile.observed.ownership import is_ours

EVERYTHING = {**everything(), "paused": False}
MANIFESTS = {manifest["kind"]: manifest for manifest in children(service(EVERYTHING), DEFAULTS)}
Clock = Callable[[], float]


def theirs(manifest: Json, *, labelled: bool, controlled: bool = False) -> Json:
    """What a user's own `kubectl apply` has created, with the same values as ours."""
    live = applied(manifest, version="50")
    live["metadata"]["managedFields"] = [{"manager": "kubectl", "operation": "Apply", "fieldsV1": {"f:spec": {}}}]
    del live["metadata"]["ownerReferences"]
    if controlled:
        owner = {"apiVersion": "apps/v1", "kind": "Other", "name": "other", "uid": "another", "controller": True}
        live["metadata"]["ownerReferences"] = [owner]
    if not labelled:
        del live["metadata"]["labels"]
    return live


def put(api: Cluster, live: Json) -> Json:
    api.objects[live["kind"], live["metadata"]["name"]] = live
    return as_written(live)


def as_written(live: Json) -> Json:
    """Without what controllers write: the status, and the resource version."""
    kept = {name: value for name, value in live["metadata"].items() if name != "resourceVersion"}
    return copy.deepcopy({**live, "metadata": kept, "status": None})


@pytest.mark.parametrize("labelled", [False, True], ids=["without our labels", "with our labels"])
@pytest.mark.parametrize("controlled", [False, True], ids=["of nobody", "of another controller"])
@pytest.mark.parametrize("kind", MANIFESTS)
async def test_what_somebody_else_has_made_is_left_as_it_is(
    clock: Clock, kind: str, labelled: bool, controlled: bool
) -> None:
    simulation = Simulation(clock, EVERYTHING)
    before = put(simulation.api, theirs(MANIFESTS[kind], labelled=labelled, controlled=controlled))
    name = before["metadata"]["name"]
    await simulation.settled()
    ready = simulation.condition()
    assert (ready["status"], ready["reason"]) == ("False", "NameTaken")
    assert f"cannot apply {kind} {name}: " in ready["message"]
    assert as_written(simulation.api.objects[kind, name]) == before


async def test_an_autoscaler_of_the_user_is_left_alone_when_the_spec_wants_one_and_when_it_no_longer_does(
    begin: Any,
) -> None:
    simulation = await begin("rolling")
    before = put(simulation.api, theirs(MANIFESTS["HorizontalPodAutoscaler"], labelled=False))
    simulation.change(spec("rolling", "fine-a", scaled=True))
    await simulation.settled()
    assert simulation.condition()["reason"] == "NameTaken"
    simulation.change(spec("rolling", "fine-a"))
    await simulation.settled()
    assert as_written(simulation.api.objects["HorizontalPodAutoscaler", "narrator"]) == before


async def test_what_is_made_anew_by_somebody_else_behind_a_stale_cache_is_left_alone(begin: Any) -> None:
    simulation = await begin("rolling")
    live = simulation.api.objects["Service", "narrator"]
    taken = {**theirs(live, labelled=False), "metadata": {"namespace": "speech", "name": "narrator"}}
    taken["metadata"] |= {"uid": "another", "resourceVersion": "9999", "managedFields": []}
    before = put(simulation.api, taken)
    simulation.change({**simulation.spec, "service": {"port": 81}})
    simulation.services.put(simulation.api.service)  # of the child there is no news yet
    await simulation.reconcile()
    assert simulation.condition()["reason"] == "NameTaken"
    assert as_written(simulation.api.objects["Service", "narrator"]) == before


OWNER = {"uid": UID, "controller": True}
RECORD = [{"manager": FIELD_MANAGER, "operation": "Apply", "fieldsV1": {"f:spec": {}}}]


@pytest.mark.parametrize(
    "metadata, ours",
    [
        ({"ownerReferences": [OWNER]}, True),
        ({"ownerReferences": [OWNER], "managedFields": RECORD}, True),
        ({"managedFields": RECORD}, True),
        ({"ownerReferences": [{**OWNER, "uid": "another", "controller": False}], "managedFields": RECORD}, True),
        ({"ownerReferences": [{**OWNER, "uid": "another"}], "managedFields": RECORD}, False),
        ({"ownerReferences": [{**OWNER, "controller": False}]}, False),
        ({"managedFields": [{**RECORD[0], "operation": "Update"}]}, False),
        ({}, False),
    ],
)
def test_whose_it_is(metadata: Json, ours: bool) -> None:
    assert is_ours({"metadata": metadata}, service()) is ours
