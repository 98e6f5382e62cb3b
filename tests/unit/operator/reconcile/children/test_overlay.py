import copy

import pytest

from tts_operator.json_object import Json
from tts_operator.reconcile.children.overlay import overlay

METADATA: Json = {
    "name": "narrator",
    "resourceVersion": "7",
    "labels": {"theirs": "x"},
    "ownerReferences": [{"uid": "1"}, {"uid": "2"}],
}


@pytest.mark.parametrize(
    "live, desired, spec",
    [
        pytest.param(
            {"ports": [{"name": "http", "port": 81}], "clusterIP": "10.0.0.1", "clusterIPs": ["10.0.0.1"]},
            {"ports": [{"name": "http", "port": 80}]},
            {"ports": [{"name": "http", "port": 80}], "clusterIP": "10.0.0.1", "clusterIPs": ["10.0.0.1"]},
            id="a renumbered port, and an address that stays",
        ),
        pytest.param(
            {"maxUnavailable": 1, "minAvailable": 1},
            {"maxUnavailable": 1},
            {"maxUnavailable": 1},
            id="a budget that says two things",
        ),
        pytest.param({"replicas": 7, "x": 1}, {"x": 2}, {"replicas": 7, "x": 2}, id="live replicas that nobody sets"),
        pytest.param({"replicas": 7}, {"replicas": 3}, {"replicas": 3}, id="replicas that we set"),
    ],
)
def test_the_spec_is_taken_over(live: Json, desired: Json, spec: Json) -> None:
    there = {"metadata": METADATA, "spec": live, "status": {"s": 1}}
    before = copy.deepcopy(there)
    wanted = {"metadata": {"name": "narrator", "labels": {"ours": "y"}}, "spec": desired}
    assert overlay(there, wanted) == {"metadata": METADATA, "spec": spec, "status": {"s": 1}}
    assert there == before


def test_an_object_without_spec() -> None:
    live = {"metadata": METADATA, "automountServiceAccountToken": True, "secrets": [{"name": "a"}]}
    wanted = {"metadata": {"name": "narrator"}, "automountServiceAccountToken": False}
    assert overlay(live, wanted) == {**live, "automountServiceAccountToken": False}
