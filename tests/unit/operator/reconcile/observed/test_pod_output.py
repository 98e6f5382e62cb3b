"""Which containers' output a status may contain."""

from typing import cast

import pytest

from tests.unit.operator.worlds import DEFAULTS, NAMESPACE, container, pod
from tts_operator.json_object import Json
from tts_operator.objects import Pod
from tts_operator.policy import Policy
from tts_operator.reconcile.observed.pod_output import MayShow
from tts_operator.reconcile.observed.pods import last_failure
from tts_operator.reconcile.observed.trimming import trim_pod

SECRET = "the answer is 42"
SERVER: Json = {"name": "server", "image": DEFAULTS.image}


_WRITES = (
    "triton-repository --engine fastspeech2 --output /written/models --cpus 2 --max-batch 16 --delay-ms 2 --replace"
)
_PORTS = ["--grpc-port=8001", "--http-port=8000", "--metrics-port=8002"]
_TRITON: Json = {
    "name": "backend",
    "command": ["tritonserver"],
    "args": ["--model-repository=/models", "--log-info=false", *_PORTS],
}


def may_show(namespace: str, image: str) -> bool:
    return Policy().for_namespace(namespace, DEFAULTS.image).has_image(image)


def trimmed(body: Json, may_show: MayShow) -> Pod:
    return cast("Pod", trim_pod(body, may_show=may_show))


def said(container_: Json, *, init: bool = False, last: bool = False) -> str:
    """The message of the last failure of a pod with this container."""
    ended = {"terminated": {"exitCode": 1, "message": SECRET}}
    name = container_["name"]
    status = (
        container({"waiting": {"reason": "CrashLoopBackOff"}}, last=ended, name=name)
        if last
        else container(ended, name=name)
    )
    found = dict(pod(init=[status] if init else [], containers=[] if init else [status]))
    kind = "initContainers" if init else "containers"
    found |= {"apiVersion": "v1", "kind": "Pod", "spec": {"nodeName": "n", kind: [container_]}}
    failure = last_failure([trimmed(found, may_show=may_show)])
    assert failure is not None
    assert failure.as_status()["message"] == failure.message
    return failure.describe()


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize(
    "container_, init",
    [
        (SERVER, False),
        ({**SERVER, "image": DEFAULTS.image.replace("v0.1.0", "v9")}, False),
        ({**SERVER, "command": [], "args": None}, False),
        ({**SERVER, "name": "fetch", "args": ["fetch"]}, True),
        ({**SERVER, "name": "write-models", "args": _WRITES.split()}, True),
        ({**SERVER, **_TRITON}, True),
    ],
    ids=["the server", "another version", "no command", "what the operator makes it do", "its models", "its Triton"],
)
def test_what_an_allowed_image_says_by_itself_is_repeated(container_: Json, init: bool, last: bool) -> None:
    assert SECRET in said(container_, init=init, last=last)


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize(
    "container_, init",
    [
        ({**SERVER, "image": "evil.example/a:v1"}, False),
        ({**SERVER, "command": ["cat", "/etc/shadow"]}, False),
        ({**SERVER, "args": ["fetch"]}, False),
        ({**SERVER, "name": "fetch", "args": ["other"]}, True),
        ({**SERVER, "name": "fetch", "args": ["fetch"], "command": ["cat"]}, True),
        ({"name": "more"}, False),
        ({**SERVER, "name": "write-models", "args": ["triton-repository", "--cpus", "$(SECRET)"]}, True),
    ],
    ids=[
        "an image",
        "a command",
        "arguments",
        "other arguments",
        "a command with our arguments",
        "no image",
        "a value",
    ],
)
def test_what_anybody_else_says_is_not(container_: Json, init: bool, last: bool) -> None:
    found = said(container_, init=init, last=last)
    assert SECRET not in found
    assert f"see kubectl logs narrator-1 -c {container_['name']} --previous" in found


def test_what_the_kubelet_says_is_repeated() -> None:
    status = container({"waiting": {"reason": "ImagePullBackOff", "message": "no such tag"}})
    found = dict(pod(containers=[status])) | {"spec": {"containers": [{**SERVER, "image": "evil.example/a"}]}}
    failure = last_failure([trimmed(found, may_show=lambda *_: False)])
    assert failure is not None
    assert failure.message == "no such tag"


def test_each_namespace_has_its_own_images() -> None:
    policy = Policy.model_validate({"namespaces": {NAMESPACE: {"images": ["own.example/*"]}}})
    for namespace, allowed in ((NAMESPACE, True), ("other", False)):
        assert policy.for_namespace(namespace, DEFAULTS.image).has_image("own.example/a:v1") is allowed
