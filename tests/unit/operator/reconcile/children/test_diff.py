"""The objects in `live/` come from a real API server, recorded by record_live.py."""

import copy
import functools
import json
from collections.abc import Callable

import pytest
import yaml

from tests.unit.operator.record_live import EDITS, LIVE, MANAGER
from tts_operator.json_object import Json
from tts_operator.reconcile.children.diff import is_up_to_date
from tts_operator.reconcile.observed.managed_fields import fields_of

LEFT_ALONE = {
    "untouched",  # the API server filled defaults in and wrote quantities in its own way
    "sidecar_injected",
    "restarted",
    "label_added",
    "default_changed",
    "env_added",
    "port_added",
    "requests_respelled",
    "resource_added",
    "finalizer_added",
    "owner_added",
}
MENDED = {
    "label_removed",
    "label_changed",
    "image_changed",
    "scaled",
    "env_changed",
    "env_removed",
    "port_renamed",
    "command_extended",  # atomic: it is ours as a whole
    "toleration_added",
    "node_selector_extended",
    "requests_changed",
    "finalizer_removed",
    "owner_changed",
    "volume_resized",
    "records_wiped",
}


@functools.cache
def _text(name: str) -> str:
    return (LIVE / name).read_text()


def recorded(case: str) -> Json:
    live: Json = json.loads(_text(f"{case}.json"))
    return live


def desired() -> Json:
    manifest: Json = yaml.safe_load(_text("desired.yaml"))
    return manifest


def container(manifest: Json) -> Json:
    found: Json = manifest["spec"]["template"]["spec"]["containers"][0]
    return found


def test_every_recorded_case_has_an_expectation() -> None:
    assert LEFT_ALONE | MENDED == EDITS.keys() == {path.stem for path in LIVE.glob("*.json")}


@pytest.mark.parametrize("case", sorted(EDITS))
def test_what_others_do(case: str) -> None:
    assert is_up_to_date(recorded(case), desired(), MANAGER) is (case in LEFT_ALONE)


@pytest.mark.parametrize("case", sorted(LEFT_ALONE))
def test_another_manager_would_have_to_apply(case: str) -> None:
    assert not is_up_to_date(recorded(case), desired(), "somebody-else")


WISHES: dict[str, Callable[[Json], object]] = {
    "field given up": lambda m: m["spec"].pop("replicas"),
    "field added": lambda m: m["spec"].update(paused=True),
    "a default spelt out": lambda m: m["spec"].update(minReadySeconds=0),
    "label given up": lambda m: m["metadata"]["labels"].pop("part-of"),
    "annotation added": lambda m: m["metadata"].update(annotations={"a": "b"}),
    "all finalizers given up": lambda m: m["metadata"].pop("finalizers"),
    "finalizer exchanged": lambda m: m["metadata"].update(finalizers=["tts-operator.io/other"]),
    "finalizer added": lambda m: m["metadata"]["finalizers"].append("tts-operator.io/other"),
    "owner exchanged": lambda m: m["metadata"]["ownerReferences"][0].update(uid="another"),
    "owner no longer controls": lambda m: m["metadata"]["ownerReferences"][0].update(controller=False),
    "image": lambda m: container(m).update(image="example.com/server:v2"),
    "a container that is no object": lambda m: m["spec"]["template"]["spec"].update(containers=["text"]),
    "env value": lambda m: container(m)["env"][0].update(value="debug"),
    "env removed": lambda m: container(m)["env"].pop(),
    "env added": lambda m: container(m)["env"].append({"name": "MORE", "value": ""}),
    "all env given up": lambda m: container(m).pop("env"),
    "key of an item": lambda m: container(m)["ports"][0].update(containerPort=80),
    "container renamed": lambda m: container(m).update(name="main"),
    "atomic list reordered": lambda m: container(m)["command"].reverse(),
    "atomic list shortened": lambda m: container(m)["command"].pop(),
    "atomic map value": lambda m: m["spec"]["template"]["spec"].update(nodeSelector={"disk": "slow"}),
    "item of an atomic list": lambda m: m["spec"]["template"]["spec"]["tolerations"][0].update(effect="NoExecute"),
    "field of an item of an atomic list given up": lambda m: m["spec"]["template"]["spec"]["tolerations"][0].pop(
        "effect"
    ),
    "request": lambda m: container(m)["resources"]["requests"].update(cpu="1001m"),
    "request given up": lambda m: container(m)["resources"]["requests"].pop("cpu"),
    "limits given up": lambda m: container(m)["resources"].pop("limits"),
    "volume source exchanged": lambda m: m["spec"]["template"]["spec"]["volumes"].__setitem__(
        1, {"name": "scratch", "hostPath": {"path": "/"}}
    ),
    "type of a value": lambda m: m["spec"].update(replicas=False),
}


@pytest.mark.parametrize("wish", WISHES.values(), ids=WISHES.keys())
def test_what_we_want_otherwise_is_a_difference(wish: Callable[[Json], object]) -> None:
    manifest = desired()
    wish(manifest)
    assert not is_up_to_date(recorded("untouched"), manifest, MANAGER)


SPELLINGS: dict[str, Callable[[Json], object]] = {
    "cores": lambda m: container(m)["resources"]["requests"].update(cpu="1"),
    "cores as a number": lambda m: container(m)["resources"]["requests"].update(cpu=1),
    "mebibytes": lambda m: container(m)["resources"]["requests"].update(memory="2Gi"),
    "bytes": lambda m: container(m)["resources"]["limits"].update(memory=str(4 * 2**30)),
    "exponent": lambda m: container(m)["resources"]["limits"].update(cpu="20e-1"),
    "size of a volume": lambda m: m["spec"]["template"]["spec"]["volumes"][0]["emptyDir"].update(sizeLimit="1Gi"),
    "order of keyed items": lambda m: container(m)["env"].reverse(),
    "order of volumes": lambda m: m["spec"]["template"]["spec"]["volumes"].reverse(),
    "order of fields": lambda m: m.update(spec=dict(reversed(m["spec"].items()))),
}


@pytest.mark.parametrize("spelling", SPELLINGS.values(), ids=SPELLINGS.keys())
def test_the_same_in_other_words_is_none(spelling: Callable[[Json], object]) -> None:
    manifest = desired()
    spelling(manifest)
    assert is_up_to_date(recorded("untouched"), manifest, MANAGER)


DAMAGES: dict[str, Callable[[Json], object]] = {
    "null": lambda b: b["spec"].update(template=None),
    "scalar for a map": lambda b: b["spec"].update(template="x"),
    "map for a list": lambda b: b["spec"]["template"]["spec"].update(containers={}),
    "scalar for an atomic map": lambda b: b["spec"].update(selector="x"),
    "item lost": lambda b: b["spec"]["template"]["spec"].update(containers=[]),
    "field lost": lambda b: b["spec"].pop("replicas"),
    "no spec": lambda b: b.pop("spec"),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_what_no_api_server_writes_is_a_difference_not_an_error(damage: Callable[[Json], object]) -> None:
    live = recorded("untouched")
    damage(live)
    assert not is_up_to_date(live, desired(), MANAGER)


def test_nothing_is_changed_by_looking() -> None:
    live, manifest = recorded("sidecar_injected"), desired()
    before = copy.deepcopy((live, manifest))
    is_up_to_date(live, manifest, MANAGER)
    assert (live, manifest) == before


ENTRY = {"manager": MANAGER, "operation": "Apply", "fieldsV1": {"f:spec": {}}}


@pytest.mark.parametrize(
    "entries, fields",
    [
        ([ENTRY], {"f:spec": {}}),
        ([{**ENTRY, "operation": "Update"}], {}),  # by a PUT or a merge patch, before we applied
        ([{**ENTRY, "subresource": "status"}], {}),
        ([{**ENTRY, "manager": "kubectl"}], {}),
        ([{**ENTRY, "operation": "Update", "fieldsV1": {"f:metadata": {}}}, ENTRY], {"f:spec": {}}),
        ([], {}),
    ],
)
def test_fields_of(entries: list[Json], fields: Json) -> None:
    assert fields_of({"metadata": {"managedFields": entries}}, MANAGER) == fields


def test_an_object_without_records_has_no_fields() -> None:
    assert fields_of({"metadata": {}}, MANAGER) == {}
