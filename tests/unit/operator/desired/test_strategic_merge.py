import copy

import pytest

from tts_operator.desired.pod.strategic_merge import merged
from tts_operator.json_object import Json

BASE: Json = {
    "metadata": {"labels": {"a": "1"}},
    "spec": {
        "containers": [{"name": "server", "env": [{"name": "A", "value": "1"}], "ports": [{"containerPort": 80}]}],
        "tolerations": [{"key": "spot"}],
        "nodeSelector": {"disk": "fast"},
    },
}


def result(spec: Json) -> Json:
    """The spec after the merge."""
    found: Json = merged(BASE, {"spec": spec})["spec"]
    return found


def test_a_sidecar_is_one_more_container() -> None:
    assert [each["name"] for each in result({"containers": [{"name": "mesh"}]})["containers"]] == ["server", "mesh"]


def test_a_container_is_merged_by_its_name_and_its_variables_by_theirs() -> None:
    patch = {"name": "server", "env": [{"name": "B", "value": "2"}, {"name": "A", "value": "3"}], "tty": True}
    (server,) = result({"containers": [patch]})["containers"]
    assert server["env"] == [{"name": "A", "value": "3"}, {"name": "B", "value": "2"}]
    assert server["tty"]
    assert server["ports"] == [{"containerPort": 80}]


@pytest.mark.parametrize(
    "patch, spec",
    [
        ({"tolerations": []}, {"tolerations": []}),
        ({"nodeSelector": {"zone": "a"}}, {"nodeSelector": {"disk": "fast", "zone": "a"}}),
        ({"nodeSelector": {"$patch": "replace", "zone": "a"}}, {"nodeSelector": {"zone": "a"}}),
        ({"nodeSelector": None}, {}),
        ({"containers": [{"name": "server", "$patch": "delete"}]}, {"containers": []}),
        ({"dnsPolicy": "Default"}, {"dnsPolicy": "Default"}),
        ({"containers": "nonsense"}, {"containers": "nonsense"}),  # for the API server to refuse
        ({"containers": [{"image": "nameless"}]}, {"containers": [{"image": "nameless"}]}),
    ],
)
def test_rules(patch: Json, spec: Json) -> None:
    found = result(patch)
    assert {name: found[name] for name in spec} == spec
    assert found.keys() - spec.keys() == BASE["spec"].keys() - patch.keys()


def test_nothing_is_changed_in_place() -> None:
    before, patch = copy.deepcopy(BASE), {"spec": {"containers": [{"name": "server", "tty": True}]}}
    merged(BASE, patch)
    assert before == BASE
