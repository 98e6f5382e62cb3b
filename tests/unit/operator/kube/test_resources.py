import pytest

from tests.unit.operator.worlds import DEFAULTS, everything, service
from tts_operator.api import API_VERSION, KIND
from tts_operator.desired import children
from tts_operator.kube.resources import BY_KIND, CHILDREN, DEPLOYMENTS, EVENTS, NODES, PODS, TTSSERVICES, Resource


@pytest.mark.parametrize(
    "resource, arguments, path",
    [
        (PODS, (), "/api/v1/pods"),
        (PODS, ("speech",), "/api/v1/namespaces/speech/pods"),
        (PODS, ("speech", "a"), "/api/v1/namespaces/speech/pods/a"),
        (DEPLOYMENTS, (), "/apis/apps/v1/deployments"),
        (DEPLOYMENTS, ("speech", "a", "scale"), "/apis/apps/v1/namespaces/speech/deployments/a/scale"),
        (NODES, (), "/api/v1/nodes"),
        (NODES, ("speech",), "/api/v1/nodes"),
        (NODES, (None, "node-1"), "/api/v1/nodes/node-1"),
        (
            TTSSERVICES,
            ("speech", "a", "status"),
            "/apis/tts-operator.io/v1alpha1/namespaces/speech/ttsservices/a/status",
        ),
    ],
)
def test_path(resource: Resource, arguments: tuple[str | None, ...], path: str) -> None:
    assert resource.path(*arguments) == path


@pytest.mark.parametrize(
    "resource, version",
    [(PODS, "v1"), (DEPLOYMENTS, "apps/v1"), (EVENTS, "events.k8s.io/v1"), (TTSSERVICES, API_VERSION)],
)
def test_api_version(resource: Resource, version: str) -> None:
    assert resource.api_version == version


def test_the_type_is_that_of_the_api() -> None:
    assert TTSSERVICES.kind == KIND


def test_every_child_can_be_addressed_and_is_watched() -> None:
    wanted = {(manifest["apiVersion"], manifest["kind"]) for manifest in children(service(everything()), DEFAULTS)}
    assert wanted == BY_KIND.keys()
    assert set(BY_KIND.values()) == set(CHILDREN)
