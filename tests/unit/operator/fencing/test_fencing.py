"""Which pods are fenced when a node does not respond, and which replica decides."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tts_operator.fencing.choose import FencingContext, contesting, is_fenced, is_ready, node_of, to_fence, to_restore
from tts_operator.fencing.fence import TARGETS, targets_by_node
from tts_operator.fencing.peers import as_json, read_view
from tts_operator.fencing.probe import Target
from tts_operator.fencing.views import PATIENCE, Nodes, Peer, Sight, View, agreed, is_to_act
from tts_operator.objects import Condition, Pod

ZONES = {f"{zone}{number}": zone for zone in "abc" for number in range(3)}
LABELS = {"app.kubernetes.io/instance": "voice", "app.kubernetes.io/name": "tts-server"}


def pod(name: str, node: str, *, ready: bool = True, fenced: bool = False, labels: dict[str, str] | None = None) -> Pod:
    condition = Condition(type="Ready", status="True" if ready and not fenced else "False")
    if fenced:
        condition["reason"] = "NodeUnreachable"
    return {
        "metadata": {
            "namespace": "speech",
            "name": name,
            "uid": name,
            "resourceVersion": "5",
            "labels": {**LABELS, **(labels or {})},
        },
        "spec": {"nodeName": node},
        "status": {
            "podIP": f"10.0.0.{sum(name.encode()) % 250}",
            "hostIP": "192.168.0.1",
            "conditions": [condition],
        },
    }


def chosen(pods: list[Pod], *lost: str, **more: Any) -> list[str]:
    unreachable = {node: float(number) for number, node in enumerate(lost)}
    now = FencingContext(pods=pods, unreachable=unreachable, reachable=(), zones=ZONES, **more)
    return [each["metadata"]["name"] for each in to_fence(now)]


def nodes(answering: Iterable[str], silent: Iterable[str] = (), *, ever: bool = True) -> Nodes:
    found = Nodes()
    if ever:
        found.look({*answering, *silent}, set(), begun=0.0)
    found.look(set(answering), set(silent), begun=1.0)
    return found


def peer(node: str = "b0", **sights: Sight) -> Peer:
    return Peer(node=node, view=View(leading=False, cut_off=False, nodes=sights))


THREE = [pod("x", "a0"), pod("y", "b0"), pod("z", "c0")]


@pytest.mark.parametrize(
    "pods, lost, out",
    [
        pytest.param(THREE, ["a0"], ["x"], id="one of three"),
        pytest.param(THREE, [], [], id="nothing is lost"),
        pytest.param(THREE, ["b1"], [], id="a node without pods of this service"),
        pytest.param(THREE, ["a0", "b0"], ["x"], id="two zones are lost: the one that fell silent first"),
        pytest.param(THREE, ["b0", "a0"], ["y"], id="the other one did"),
        pytest.param([pod("x", "a0")], ["a0"], [], id="never the only one"),
        pytest.param([pod("x", "a0"), pod("y", "b0")], ["a0"], ["x"], id="one of two"),
        pytest.param(
            [pod(name, f"a{number % 3}") for number, name in enumerate("pqrstu")],
            ["a0", "a1"],
            ["p", "s"],
            id="a third, where all are in one zone",
        ),
        pytest.param([pod("x", "a0"), pod("y", "a1")], ["a0", "a1"], ["x"], id="never the last ready one"),
        pytest.param([pod("x", "a0"), pod("y", "b0", ready=False)], ["a0"], [], id="the last ready one beside unready"),
        pytest.param(
            [*THREE, pod("v", "a1"), pod("w", "a2")], ["a0", "a1", "a2"], ["x", "v", "w"], id="three of five, one zone"
        ),
        pytest.param(
            [*THREE, pod("u", "b1"), pod("v", "b2"), pod("w", "c1")], ["a0", "b0"], ["x", "y"], id="a third, two zones"
        ),
        pytest.param(
            [pod("x", "a0", fenced=True), pod("y", "b0"), pod("z", "c0")], ["a0", "b0"], [], id="one is out already"
        ),
        pytest.param(
            [pod("x", "n1"), pod("y", "n2"), pod("z", "n3")], ["n1", "n2"], ["x"], id="without zones each node is one"
        ),
        pytest.param(
            [*THREE[:1], pod("n", "b0", labels={"app.kubernetes.io/name": "tts-server-candidate"})],
            ["a0"],
            [],
            id="a candidate that gets no traffic is no replacement",
        ),
        pytest.param(
            [*THREE[:1], pod("n", "b0", labels={"app.kubernetes.io/instance": "other"})], ["a0"], [], id="nor another's"
        ),
        pytest.param(
            [
                pod(name, node, labels={"app.kubernetes.io/name": "tts-server-worker"})
                for name, node in (("v", "a0"), ("w", "b0"))
            ],
            ["a0"],
            [],
            id="a worker gets no traffic",
        ),
    ],
)
def test_which_pods_leave(pods: list[Pod], lost: list[str], out: list[str]) -> None:
    assert chosen(pods, *lost) == out


def test_a_pod_on_its_way_out_is_left_alone() -> None:
    leaving = pod("x", "a0")
    leaving["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert chosen([leaving, *THREE[1:]], "a0") == []


placed = st.lists(
    st.tuples(st.sampled_from(sorted(ZONES)), st.sampled_from(["ready", "unready", "fenced"])), max_size=12
)


@given(placed, st.lists(st.sampled_from(sorted(ZONES)), unique=True))
def test_it_never_harms(where: list[tuple[str, str]], lost: list[str]) -> None:
    pods = [
        pod(f"p{number}", node, ready=state == "ready", fenced=state == "fenced")
        for number, (node, state) in enumerate(where)
    ]
    out = set(chosen(pods, *lost))
    left = [each for each in pods if is_ready(each) and each["metadata"]["name"] not in out]
    gone = [each for each in pods if is_fenced(each) or each["metadata"]["name"] in out]
    assert all(node_of(each) in lost for each in pods if each["metadata"]["name"] in out)
    if out:
        assert left
        everywhere = {ZONES[node_of(each)] for each in [*gone, *left]}
        one_of_several = len({ZONES[node_of(each)] for each in gone}) == 1 < len(everywhere)
        assert one_of_several or len(gone) == 1 or 3 * len(gone) <= len(gone) + len(left)


def test_a_pod_comes_back_when_its_node_answers_again() -> None:
    pods = [pod("x", "a0", fenced=True), pod("y", "b0", fenced=True), pod("z", "c0", ready=False)]
    now = FencingContext(pods=pods, unreachable={}, reachable={"a0", "c0"}, zones=ZONES)
    assert [each["metadata"]["name"] for each in to_restore(now)] == ["x"]


def test_a_kubelet_that_reports_from_a_silent_node_is_believed() -> None:
    pods = [pod("x", "a0"), *THREE[1:]]
    assert contesting(pods, {"x": 4}, {"a0"}) == {"a0"}
    assert contesting(pods, {"x": 6}, {"a0"}) == set(), "what is in the cache is from before it was fenced"
    assert contesting(pods, {}, {"a0"}) == set(), "it was never fenced"
    assert contesting([pod("x", "a0", fenced=True)], {"x": 4}, {"a0"}) == set()
    assert chosen(pods, "a0", contested={"a0"}) == []


def test_a_node_that_has_never_answered_is_unknown() -> None:
    seen = nodes(["a0", "b0"], ["c0"], ever=False)
    assert seen.unreachable == {}
    assert seen.count() == {Sight.REACHABLE: 2, Sight.UNREACHABLE: 0, Sight.UNKNOWN: 1}


def test_a_node_is_reachable_again_with_its_second_answer() -> None:
    seen = nodes(["a0", "b0"], ["c0"])
    assert seen.unreachable == {"c0": 1.0}
    assert seen.reachable == {"a0", "b0"}
    seen.look({"a0", "b0", "c0"}, set(), begun=2.0)
    assert seen.unreachable == {}
    assert "c0" not in seen.reachable
    seen.look({"a0", "b0", "c0"}, set(), begun=3.0)
    assert "c0" in seen.reachable


def test_a_node_without_pods_is_forgotten() -> None:
    seen = nodes(["a0", "b0"], ["c0"])
    seen.look({"a0", "b0"}, set(), begun=2.0)
    assert seen.unreachable == {}
    assert seen.sight("c0") is Sight.UNKNOWN


@pytest.mark.parametrize(
    "answering, silent, cut_off",
    [("ab", "c", False), ("a", "b", True), ("a", "bc", True), ("abc", "", False), ("", "a", True), ("", "", True)],
)
def test_who_cannot_reach_most_nodes_is_cut_off(answering: str, silent: str, cut_off: bool) -> None:
    assert nodes(answering, silent).cut_off is cut_off


SEES, LOST, KNOWS_NOT = Sight.REACHABLE, Sight.UNREACHABLE, Sight.UNKNOWN
CUT_OFF = Peer(node="b0", view=View(leading=True, cut_off=True, nodes={"c0": LOST}))
SILENT = Peer(node="b0", view=None, unanswered=1)
DEAD = Peer(node="b0", view=None, unanswered=PATIENCE)
LEADER = Peer(node="b0", view=View(leading=True, cut_off=False, nodes={"c0": LOST}))


@pytest.mark.parametrize(
    "peers, found",
    [
        pytest.param([], ["c0"], id="alone"),
        pytest.param([peer(c0=LOST)], ["c0"], id="both"),
        pytest.param([peer(c0=SEES)], [], id="the other one reaches it"),
        pytest.param([peer(c0=KNOWS_NOT)], ["c0"], id="the other one cannot tell"),
        pytest.param([peer(c0=LOST), peer(c0=SEES)], [], id="all must agree"),
        pytest.param([peer()], [], id="the other one was not asked"),
        pytest.param([SILENT], [], id="the other one may yet answer"),
        pytest.param([DEAD], ["c0"], id="the other one is dead"),
        pytest.param([Peer(node="c0", view=None)], ["c0"], id="the other one is on the lost node"),
        pytest.param([CUT_OFF], ["c0"], id="the other one is cut off itself"),
    ],
)
def test_what_the_replicas_agree_on(peers: list[Peer], found: list[str]) -> None:
    assert list(agreed(nodes(["a0", "b0"], ["c0"]), peers)) == found


@pytest.mark.parametrize(
    "peers, leading, acts",
    [
        pytest.param([], True, True, id="the only replica"),
        pytest.param([], False, False, id="it does not know the holder of the lease"),
        pytest.param([LEADER], False, False, id="the holder of the lease is alive"),
        pytest.param([LEADER], True, True, id="both think so, for a moment"),
        pytest.param([SILENT], False, False, id="the holder may yet answer"),
        pytest.param([DEAD], False, True, id="the holder is dead"),
        pytest.param([Peer(node="c0", view=None)], False, True, id="the holder is on the lost node"),
        pytest.param([CUT_OFF], False, True, id="the holder is cut off"),
        pytest.param([peer(c0=LOST)], False, True, id="nobody holds it"),
    ],
)
def test_who_acts(peers: list[Peer], leading: bool, acts: bool) -> None:
    assert is_to_act(nodes(["a0", "b0"], ["c0"]), peers, leading=leading) is acts


def test_who_is_cut_off_does_nothing() -> None:
    seen = nodes(["a0"], ["b0", "c0"])
    assert agreed(seen, []) == {}
    assert not is_to_act(seen, [], leading=True)


def test_a_view_survives_its_journey() -> None:
    view = View(leading=True, cut_off=False, nodes={"a0": SEES, "b0": LOST})
    assert read_view(json.dumps(as_json(view)).encode()) == view


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b'{"nodes": 1}',
        b'{"nodes": {"a": "Gone"}, "leading": true, "cutOff": false}',
        b'{"nodes": []}',
        b"[" * 100_000,
    ],
)
def test_nonsense_is_no_view(body: bytes) -> None:
    with pytest.raises(ValueError, match="no view of the nodes"):
        read_view(body)


def test_the_ways_to_a_node_are_its_pods_and_then_its_kubelet() -> None:
    pods = [pod(f"p{number:02}", "a0") for number in range(30)] + [
        pod("n", "b0", ready=False),
        pod("m", "c0", fenced=True),
    ]
    ways = targets_by_node(pods)
    assert ways.keys() == {"a0", "c0"}
    assert [way.port for way in ways["a0"]] == [7860] * TARGETS + [10250]
    assert ways["c0"] == [Target(pods[-1]["status"]["podIP"], 7860), Target("192.168.0.1", 10250)]


BEHIND = {"app.kubernetes.io/name": "tts-backend", "tts-operator.io/backend": "0a1b2c3d"}


def test_a_backend_is_no_way_to_its_node() -> None:
    """It has a port of its own, and may let only servers in."""
    assert targets_by_node([pod("b", "a0", labels=BEHIND)]) == {"a0": [Target("192.168.0.1", 10250)]}
    assert [way.port for way in targets_by_node([pod("b", "a0", labels=BEHIND), pod("s", "a0")])["a0"]] == [7860, 10250]


def test_versions_of_a_backend_do_not_replace_each_other() -> None:
    """Each has a Service of its own, and the last pod of one stays in it."""
    other = {**BEHIND, "tts-operator.io/backend": "4e5f6a7b"}
    assert chosen([pod("b", "a0", labels=BEHIND), pod("c", "b0", labels=other)], "a0") == []
    assert chosen([pod("b", "a0", labels=BEHIND), pod("c", "b0", labels=BEHIND)], "a0") == ["b"]


def test_no_tenant_has_all_the_ways_to_a_node() -> None:
    hostile = [pod(f"h{number:02}", "a0") for number in range(30)]
    other = pod("z", "a0")
    other["metadata"]["namespace"] = "other"
    assert Target(other["status"]["podIP"], 7860) in targets_by_node([*hostile, other])["a0"][:2]
