"""How strictly pods are spread over zones, and that pods which run stay as they are when zones come or go."""

from collections.abc import Iterable, Mapping
from typing import Any

import pytest

from tests.unit.operator.worlds import DEFAULTS, applied, service
from tts_operator.desired.pod.spread import HOSTNAME, in_force, resolved
from tts_operator.desired.revision import Revision, revisions_of, wanted_revision
from tts_operator.json_object import Json
from tts_operator.reconcile.observed.trimming import NodeLabels
from tts_operator.runtime import Store

ZONE = "topology.kubernetes.io/zone"
ONE = [{ZONE: "a"}, {ZONE: "a"}]
TWO = [{ZONE: "a"}, {ZONE: "b"}]
STRICT, SOFT, NONE = "DoNotSchedule", "ScheduleAnyway", "NoZones"
Labels = list[dict[str, str]]


def placed(when: str | None = None, key: str | None = None, **selector: str) -> Json:
    """A spec that says something of zones, and of nodes."""
    spread = {name: value for name, value in (("whenUnsatisfiable", when), ("topologyKey", key)) if value}
    return {"placement": {"zoneSpread": spread, "nodeSelector": selector}}


def made(spec: Json, nodes: Iterable[Mapping[str, str]], *earlier: Revision, **metadata: Any) -> Revision:
    """The revision that a spec asks for on such nodes, after some others."""
    kept = [{**applied(each.manifest(service())), "revision": each.number} for each in earlier]
    return wanted_revision(service(spec, **metadata), DEFAULTS.image, revisions_of(kept), nodes=nodes)


def terms(revision: Revision) -> dict[str, str]:
    """How strictly the pods are spread, by the label of the nodes."""
    return {
        each["topologyKey"]: each["whenUnsatisfiable"]
        for each in revision.template["spec"]["topologySpreadConstraints"]
    }


@pytest.mark.parametrize(
    "spec, nodes, found",
    [
        ({}, TWO, STRICT),
        ({}, [*TWO, {}, {"a": "b"}], STRICT),
        ({}, ONE, SOFT),
        ({}, [*ONE, {}], SOFT),
        ({}, [{}, {"a": "b"}], NONE),
        ({}, [], SOFT),  # they cannot be read, or none has come up yet
        (placed(gpu="yes"), TWO, SOFT),  # none matches: a node group that begins with nothing
        (placed(gpu="yes"), [*TWO, {"gpu": "yes"}], NONE),
        (placed(gpu="yes"), [*TWO, {"gpu": "yes", ZONE: "c"}, {"gpu": "no", ZONE: "d"}], SOFT),
        (placed(gpu="yes"), [{"gpu": "yes", ZONE: "c"}, {"gpu": "yes", ZONE: "d"}], STRICT),
        (placed(key="rack"), TWO, NONE),
        (placed(key="rack"), [{"rack": "1", ZONE: "a"}, {"rack": "2", ZONE: "a"}], STRICT),
        (placed(STRICT), [{}], STRICT),
        (placed(STRICT), [], STRICT),
        (placed(SOFT), TWO, SOFT),
        (placed(SOFT), [{}], SOFT),
    ],
)
def test_how_strictly(spec: Json, nodes: Labels, found: str) -> None:
    assert resolved(service(spec).spec, nodes) == found
    assert made(spec, nodes).spread == found, "the template says so, once it is made"


@pytest.mark.parametrize(
    "spec, nodes, found",
    [
        ({}, TWO, {ZONE: STRICT, HOSTNAME: SOFT}),
        ({}, ONE, {ZONE: SOFT, HOSTNAME: SOFT}),
        ({}, [{}], {HOSTNAME: SOFT}),
        (placed(key=HOSTNAME), [{HOSTNAME: "n1"}, {HOSTNAME: "n2"}], {HOSTNAME: STRICT}),
        (placed(key=HOSTNAME), [{HOSTNAME: "n1"}], {HOSTNAME: SOFT}),
        (placed(key=HOSTNAME), [{}], {HOSTNAME: SOFT}),
    ],
)
def test_what_the_pods_are_given(spec: Json, nodes: Labels, found: dict[str, str]) -> None:
    assert terms(made(spec, nodes)) == found


@pytest.mark.parametrize("then", [[], [{}], ONE, TWO])
@pytest.mark.parametrize("now", [[], [{}], ONE, TWO])
def test_zones_that_come_or_go_restart_nothing(then: Labels, now: Labels) -> None:
    first = made({}, then)
    assert made({}, now, first) == first
    second = made({"server": {"logLevel": "debug"}}, now, first)
    assert second.spread == made({}, now).spread, "the next revision looks at them"
    assert made({}, now, first, second).template == first.template, "going back is going back"
    refreshed = made({}, now, first, annotations={"tts-operator.io/refresh": "1"})
    assert refreshed.spread == made({}, now).spread


def test_what_was_asked_is_recorded_not_what_came_of_it() -> None:
    assert "whenUnsatisfiable" not in made({}, TWO).inputs["placement"]["zoneSpread"]
    assert made(placed(SOFT), TWO).inputs["placement"]["zoneSpread"]["whenUnsatisfiable"] == SOFT


@pytest.mark.parametrize(
    "recorded, asked, same",
    [
        (placed(STRICT), {}, True),  # the default of before
        (placed(STRICT), placed(STRICT), True),
        (placed(STRICT), placed(SOFT), False),
        (placed(SOFT), {}, False),
        ({}, placed(STRICT), False),
        ({}, placed(SOFT), False),
        (placed(STRICT), {"server": {"logLevel": "debug"}}, False),
        (placed(STRICT, "rack"), placed(key="rack"), True),
        (placed(STRICT, "rack"), {}, False),
    ],
)
def test_what_is_a_change(recorded: Json, asked: Json, same: bool) -> None:
    first = made(recorded, TWO)
    assert (made(asked, [{}], first).name == first.name) is same


def test_podtemplate_has_the_last_word() -> None:
    own = {"topologyKey": ZONE, "whenUnsatisfiable": SOFT, "maxSkew": 2}
    assert made({"podTemplate": {"spec": {"topologySpreadConstraints": [own]}}}, TWO).spread == SOFT
    part = {"topologyKey": ZONE, "maxSkew": 2}
    changed = made({"podTemplate": {"spec": {"topologySpreadConstraints": [part]}}}, [{}])
    assert changed.spread == SOFT, "what it changes is there"
    nothing: Json = {"podTemplate": {"spec": {"topologySpreadConstraints": None}}}
    assert made(nothing, [{}]).spread == ""


@pytest.mark.parametrize(
    "constraints",
    [None, "a", [None, "a"], [{"topologyKey": ZONE}], [{"topologyKey": ZONE, "whenUnsatisfiable": ["a"]}]],
)
def test_a_template_may_hold_anything(constraints: Any) -> None:
    asked = {"podTemplate": {"spec": {"topologySpreadConstraints": constraints}}}
    assert in_force(asked, {"spec": {"topologySpreadConstraints": constraints}}) == ""


def test_of_nodes_the_labels_are_read_from_the_cache() -> None:
    nodes = Store(key_of=lambda _: None)
    labels = NodeLabels(nodes)
    assert list(labels) == []
    for name, metadata in (("n1", {"labels": {ZONE: "a"}}), ("n2", {})):
        nodes.put({"metadata": {"name": name, "uid": name, "resourceVersion": "1", **metadata}})
    assert list(labels) == [{ZONE: "a"}, {}]
    assert list(labels) == [{ZONE: "a"}, {}], "once for each who asks"
