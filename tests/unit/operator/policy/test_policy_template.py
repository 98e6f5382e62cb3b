"""Other violations in final pod templates, and templates of any shape."""

from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.unit.operator.policy.templates import AT, BOUNDS, RESTRICTED, SERVER, container, pod, told, volume
from tests.unit.operator.worlds import ALL, DEFAULTS, NAME, NOW, OPEN, applied, plan, service, world
from tts_operator.desired.pod.template import pod_template
from tts_operator.json_object import Json
from tts_operator.kube.client import FIELD_MANAGER
from tts_operator.policy import Policy, message, misshapen, template_violations
from tts_operator.policy.shape import CHARACTERS_MAX, DEPTH_MAX, NODES_MAX
from tts_operator.reconcile.children.diff import has_template
from tts_operator.reconcile.observed.snapshot import Observed, address


@pytest.mark.parametrize(
    "patch, where",
    [
        (container(image="evil.example/a:v1"), f'{SERVER}.image: the image "evil.example/a:v1" is'),
        (pod(containers=[{"name": "more", "image": "miner"}]), f'{AT}.containers[more].image: the image "miner" is'),
        (pod(initContainers=[{"name": "more", "image": "miner"}]), f"{AT}.initContainers[more].image: the image"),
        (pod(containers=[{"name": "more"}]), f"{AT}.containers[more].image: the image null is"),
        (pod(containers=[{"name": "more", "image": 7}]), f"{AT}.containers[more].image: the image 7 is"),
        (pod(containers=[{"name": "\n" * 9, "image": "miner"}]), f"{AT}.containers[1].image"),
        (volume(image={"reference": "evil.example/a"}), f"{AT}.volumes[more].image.reference: the image"),
    ],
    ids=str,
)
@pytest.mark.parametrize("mode", ["Restricted", "Unrestricted"])
def test_images(patch: Json, where: str, mode: str) -> None:
    found = told(patch, Policy.model_validate({"podTemplate": mode}))
    assert where in found
    assert "allowed; allowed: ghcr.io/tts-operator/tts-server" in found
    assert "policy.images" in found


def test_the_server_of_the_release_is_allowed_with_any_tag() -> None:
    assert told(container(image="ghcr.io/tts-operator/tts-server:other"), Policy()) == ""
    assert told(container(image="ghcr.io/tts-operator/tts-server-evil"), Policy())


def test_priority_classes() -> None:
    policy = Policy(images=ALL, priority_classes=("tenant-*", "system-*"))
    assert told(pod(priorityClassName="tenant-a"), policy) == ""
    assert 'priorityClassName: "high" is not allowed; allowed: tenant-*, system-*' in told(
        pod(priorityClassName="high"), policy
    )
    assert "reserved for the cluster's own pods" in told(pod(priorityClassName="system-a"), policy)
    unrestricted = policy.model_copy(update={"pod_template": "Unrestricted"})
    assert told(pod(priorityClassName="system-a"), unrestricted) == ""


@pytest.mark.parametrize(
    "template, where",
    [
        ({"kind": "Pod"}, "spec.podTemplate.kind: a pod template has no such field"),
        ({"$patch": "replace"}, "spec.podTemplate.$patch: a pod template has no such field"),
        ({"metadata": None}, "spec.podTemplate.metadata: null is not an object"),
        ({"spec": [1]}, "spec.podTemplate.spec: a list is not an object"),
        ({"metadata": {"labels": "a"}}, 'spec.podTemplate.metadata.labels: "a" is not a map of strings'),
        ({"metadata": {"annotations": [1]}}, "spec.podTemplate.metadata.annotations: a list is not a map of strings"),
        ({"spec": {"a": ["b"] * NODES_MAX}}, "spec.podTemplate: it is too large"),
        ({"spec": {"a": "b" * CHARACTERS_MAX}}, "spec.podTemplate: it is too large"),
        ({"spec": {"b" * CHARACTERS_MAX: 1}}, "spec.podTemplate: it is too large"),
        ([1], "spec.podTemplate: a list is not a pod template"),
    ],
    ids=lambda each: str(each)[:40],
)
def test_what_is_no_pod_template_is_not_even_merged(template: Any, where: str) -> None:
    assert where in message(misshapen(template), "speech")


def nested(depth: int) -> Json:
    found: Json = {}
    for _ in range(depth):
        found = {"a": found}
    return found


def test_depth_is_bounded() -> None:
    assert misshapen(pod(affinity=nested(DEPTH_MAX - 4))) == []
    assert "nested too deeply" in message(misshapen(pod(affinity=nested(DEPTH_MAX))), "speech")
    assert "nested too deeply" in message(misshapen(pod(affinity=nested(100_000))), "speech")
    assert template_violations({"spec": {"affinity": nested(100_000)}}, BOUNDS, account=NAME)


@pytest.mark.parametrize("template", [None, {}, {"metadata": {}, "spec": {}}, {"metadata": {"labels": None}}])
def test_what_says_little_is_fine(template: Any) -> None:
    assert misshapen(template) == []


NAMES = (
    "metadata", "spec", "labels", "annotations", "name", "containers", "initContainers", "ephemeralContainers",
    "volumes", "image", "securityContext", "capabilities", "drop", "add", "seccompProfile", "type", "runAsUser",
    "privileged", "env", "ports", "containerPort", "hostPort", "projected", "sources", "serviceAccountToken",
    "resources", "requests", "limits", "cpu", "topologySpreadConstraints", "labelSelector", "matchLabels",
    "topologyKey", "livenessProbe", "httpGet", "host", "lifecycle", "preStop", "sysctls", "seLinuxOptions",
    "windowsOptions", "priorityClassName", "nodeName", "$patch", "volumeMounts", "mountPath", "imagePullSecrets",
    "tolerations", "hostPID", "server", "reference",
)  # fmt: skip
scalars = st.none() | st.booleans() | st.integers(-1, 10**20) | st.sampled_from((0.5, "", "\n", "1e9", *NAMES))
anything = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=5),
    max_leaves=15,
)
JOBS: Json = {
    "storage": {"persistentVolumeClaim": {}},
    "kafka": {"bootstrapServers": ["kafka:9092"]},
    "workers": {"placement": {}},
}
patches = st.dictionaries(st.sampled_from(("metadata", "spec")), st.dictionaries(st.sampled_from(NAMES), anything))


@settings(deadline=None, max_examples=250)
@given(template=patches | st.dictionaries(st.sampled_from(NAMES), anything))
@example(template=pod(containers=["text"]))
@example(template=pod(containers=[{"name": {"a": 1}}], volumes=[{"name": [1]}]))
@example(template=pod(containers=[{"name": "server", "resources": {"requests": [1], "limits": "a"}}]))
@example(template=pod(topologySpreadConstraints=7))
@example(template=pod(topologySpreadConstraints=["text"]))
@example(template={"metadata": {"labels": False}})
@example(template={"metadata": {"$patch": "replace"}, "spec": {"$patch": "replace"}})
def test_whatever_is_written_no_pass_breaks(template: Json) -> None:
    """On a new service, where it is what runs, where another one takes its place, and where it takes another's."""
    for policy in (OPEN, RESTRICTED):
        asked = service({"podTemplate": template, "jobs": JOBS})
        todo = plan(asked, Observed(), DEFAULTS, now=NOW, policy=policy)
        assert bool(todo.violation) is not bool(todo.apply)
        live = {address(each): each for each in map(kept, todo.apply)}
        status = {"currentRevision": next((name for _, kind, name in live if kind == "ControllerRevision"), "")}
        same = service({"podTemplate": template, "jobs": JOBS}, status=status)
        plan(same, Observed(children=live), DEFAULTS, now=NOW, policy=policy)
        other = service({"podTemplate": {"metadata": {"labels": {"a": "b"}}}}, status=status, generation=2)
        plan(other, Observed(children=live), DEFAULTS, now=NOW, policy=policy)
        before = world(service())
        for strategy in ("Rolling", "BlueGreen"):
            rollout = {"strategy": strategy, "speechCheck": {"enabled": strategy != "Rolling"}}
            later = service({"podTemplate": template, "rollout": rollout}, generation=2)
            plan(later, before, DEFAULTS, now=NOW, policy=policy)


def kept(manifest: Json) -> Json:
    """As the API server would have it, were it to take it; of the record no more than that it is ours."""
    fields: Json = {
        "f:spec": {"f:template": {"f:metadata": {}, "f:spec": {"f:containers": {'k:{"name":"server"}': {}}}}}
    }
    entry = {"manager": FIELD_MANAGER, "operation": "Apply", "fieldsV1": fields}
    metadata = manifest["metadata"] | {"uid": "u", "resourceVersion": "1", "managedFields": [entry]}
    return {**manifest, "metadata": metadata, "status": {}}


def test_a_template_is_that_of_a_deployment_only_where_all_of_it_is() -> None:
    asked = service({"podTemplate": container(env=[{"name": "A", "value": "1"}])})
    live = applied(
        next(each for each in plan(asked, Observed(), DEFAULTS, now=NOW).apply if each["kind"] == "Deployment")
    )
    template = live["spec"]["template"]
    assert has_template(live, template, FIELD_MANAGER)
    assert not has_template(live, template, "somebody")
    for other in (container(env=[{"name": "A", "value": "2"}]), container(stdin=True), pod(hostPID=True)):
        changed = pod_template(service({"podTemplate": other}), DEFAULTS.image, "DoNotSchedule")
        labelled = {**changed, "metadata": template["metadata"]}
        assert not has_template(live, labelled, FIELD_MANAGER)
