"""Each control of the Pod Security Standard, and what else a finished pod template may not have.

Each row is laid over the operator's own template as `podTemplate` is.
"""

from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.unit.operator.worlds import ALL, DEFAULTS, NAME, NOW, OPEN, applied, plan, service, world
from tts_operator.desired.pod import pod_template
from tts_operator.json_object import Json
from tts_operator.kube.client import FIELD_MANAGER
from tts_operator.policy import Policy, message, misshapen, template_violations
from tts_operator.policy.shape import CHARACTERS_MAX, DEPTH_MAX, NODES_MAX
from tts_operator.reconcile.children.diff import has_template
from tts_operator.reconcile.observed.snapshot import Observed, address

RESTRICTED = Policy(images=ALL, priority_classes=ALL)
BOUNDS = RESTRICTED.for_namespace("speech", DEFAULTS.image)
AT = "spec.podTemplate.spec"
SERVER = f"{AT}.containers[server]"


def pod(**spec: Any) -> Json:
    return {"spec": spec}


def container(**fields: Any) -> Json:
    return pod(containers=[{"name": "server", **fields}])


def context(**fields: Any) -> Json:
    return container(securityContext=fields)


def pod_context(**fields: Any) -> Json:
    return pod(securityContext=fields)


def volume(**kind: Any) -> Json:
    return pod(volumes=[{"name": "more", **kind}])


def annotation(value: str) -> Json:
    return {"metadata": {"annotations": {"container.apparmor.security.beta.kubernetes.io/server": value}}}


def told(patch: Json, policy: Policy = RESTRICTED, **spec: Any) -> str:
    asked = service({**spec, "podTemplate": patch})
    template = pod_template(asked, DEFAULTS.image, "DoNotSchedule")
    bounds = policy.for_namespace("speech", DEFAULTS.image)
    return message(found, "speech") if (found := template_violations(template, bounds, account=NAME)) else ""


CONTROLS: list[tuple[str, Json, Json, str]] = [
    ("hostNetwork", pod(hostNetwork=False), pod(hostNetwork=True), f"{AT}.hostNetwork: true"),
    ("hostPID", pod(hostPID=False), pod(hostPID=True), f"{AT}.hostPID: true"),
    ("hostIPC", pod(hostIPC=None), pod(hostIPC=True), f"{AT}.hostIPC: true"),
    (
        "host process of the pod",
        pod_context(windowsOptions={"hostProcess": False}),
        pod_context(windowsOptions={"hostProcess": True}),
        f"{AT}.securityContext.windowsOptions.hostProcess: true",
    ),
    (
        "host process of a container",
        context(windowsOptions={"runAsUserName": "a"}),
        context(windowsOptions={"hostProcess": True}),
        f"{SERVER}.securityContext.windowsOptions.hostProcess: true",
    ),
    (
        "privileged",
        context(privileged=False),
        context(privileged=True),
        f"{SERVER}.securityContext.privileged: true",
    ),
    (
        "added capability",
        context(capabilities={"add": ["NET_BIND_SERVICE"]}),
        context(capabilities={"add": ["NET_BIND_SERVICE", "SYS_ADMIN"]}),
        f'{SERVER}.securityContext.capabilities.add: "SYS_ADMIN"',
    ),
    (
        "dropped capabilities",
        context(capabilities={"drop": ["ALL", "CHOWN"]}),
        context(capabilities={"drop": ["CHOWN"]}),
        f'{SERVER}.securityContext.capabilities.drop: "CHOWN"',
    ),
    (
        "kept capabilities",
        context(capabilities={"drop": ["ALL"]}),
        context(capabilities=None),
        f"{SERVER}.securityContext.capabilities.drop: nothing is not allowed; write [ALL]",
    ),
    ("hostPath", volume(emptyDir={}), volume(hostPath={"path": "/"}), f"{AT}.volumes[more].hostPath"),
    ("hidden hostPath", volume(secret={}), volume(secret={}, hostPath={"path": "/"}), f"{AT}.volumes[more].hostPath"),
    ("nfs", volume(configMap={"name": "a"}), volume(nfs={"server": "a", "path": "/"}), f"{AT}.volumes[more].nfs"),
    ("iscsi", volume(csi={"driver": "a"}), volume(iscsi={}), f"{AT}.volumes[more].iscsi"),
    ("image volume", volume(ephemeral={}), volume(image={"reference": "a"}), f"{AT}.volumes[more].image"),
    ("volume of no kind", volume(), volume(gitRepo={"repository": "a"}), f"{AT}.volumes[more].gitRepo"),
    (
        "hostPort",
        container(ports=[{"containerPort": 9, "hostPort": 0}]),
        container(ports=[{"containerPort": 7860, "hostPort": 80}]),
        f"{SERVER}.ports.hostPort: 80",
    ),
    (
        "AppArmor of a container",
        context(appArmorProfile={"type": "Localhost", "localhostProfile": "a"}),
        context(appArmorProfile={"type": "Unconfined"}),
        f'{SERVER}.securityContext.appArmorProfile.type: "Unconfined"',
    ),
    (
        "AppArmor of the pod",
        pod_context(appArmorProfile={"type": "RuntimeDefault"}),
        pod_context(appArmorProfile={"type": "Unconfined"}),
        f'{AT}.securityContext.appArmorProfile.type: "Unconfined"',
    ),
    ("AppArmor by annotation", annotation("localhost/a"), annotation("unconfined"), "spec.podTemplate.metadata.annot"),
    (
        "SELinux type",
        context(seLinuxOptions={"type": "container_t", "level": "s0:c1"}),
        context(seLinuxOptions={"type": "spc_t"}),
        f'{SERVER}.securityContext.seLinuxOptions.type: "spc_t"',
    ),
    (
        "SELinux user",
        pod_context(seLinuxOptions={"user": ""}),
        pod_context(seLinuxOptions={"user": "system_u"}),
        f'{AT}.securityContext.seLinuxOptions.user: "system_u"',
    ),
    (
        "SELinux role",
        pod_context(seLinuxOptions={"level": "s0"}),
        pod_context(seLinuxOptions={"role": "system_r"}),
        f'{AT}.securityContext.seLinuxOptions.role: "system_r"',
    ),
    (
        "procMount",
        context(procMount="Default"),
        context(procMount="Unmasked"),
        f'{SERVER}.securityContext.procMount: "Unmasked"',
    ),
    (
        "seccomp of a container",
        context(seccompProfile={"type": "Localhost", "localhostProfile": "a"}),
        context(seccompProfile={"type": "Unconfined"}),
        f'{SERVER}.securityContext.seccompProfile.type: "Unconfined"',
    ),
    (
        "seccomp of the pod",
        pod_context(seccompProfile={"type": "Localhost", "localhostProfile": "a"}),
        pod_context(seccompProfile={"type": "Unconfined"}),
        f'{AT}.securityContext.seccompProfile.type: "Unconfined"',
    ),
    (
        "no seccomp",
        {
            "spec": {
                "securityContext": {"seccompProfile": None},
                "containers": [{"name": "server", "securityContext": {"seccompProfile": {"type": "RuntimeDefault"}}}],
            }
        },
        pod_context(seccompProfile=None),
        f"{SERVER}.securityContext.seccompProfile: an unset value",
    ),
    (
        "sysctl",
        pod_context(sysctls=[{"name": "net.ipv4.tcp_keepalive_time", "value": "60"}]),
        pod_context(sysctls=[{"name": "kernel.msgmax", "value": "1"}]),
        f'{AT}.securityContext.sysctls: "kernel.msgmax"',
    ),
    (
        "allowPrivilegeEscalation",
        context(allowPrivilegeEscalation=False),
        context(allowPrivilegeEscalation=True),
        f"{SERVER}.securityContext.allowPrivilegeEscalation: true",
    ),
    (
        "allowPrivilegeEscalation left out",
        context(readOnlyRootFilesystem=False),
        context(allowPrivilegeEscalation=None),
        f"{SERVER}.securityContext.allowPrivilegeEscalation: an unset value",
    ),
    (
        "runAsNonRoot of a container",
        context(runAsNonRoot=True),
        context(runAsNonRoot=False),
        f"{SERVER}.securityContext.runAsNonRoot: false",
    ),
    (
        "runAsNonRoot of the pod",
        pod_context(runAsNonRoot=True),
        pod_context(runAsNonRoot=False),
        f"{AT}.securityContext.runAsNonRoot: false",
    ),
    (
        "runAsNonRoot left out",
        {
            "spec": {
                "securityContext": {"runAsNonRoot": None},
                "containers": [{"name": "server", "securityContext": {"runAsNonRoot": True}}],
            }
        },
        pod_context(runAsNonRoot=None),
        f"{SERVER}.securityContext.runAsNonRoot: an unset value",
    ),
    (
        "root in a container",
        context(runAsUser=1),
        context(runAsUser=0),
        f"{SERVER}.securityContext.runAsUser: 0",
    ),
    ("root in the pod", pod_context(runAsUser=1), pod_context(runAsUser=0), f"{AT}.securityContext.runAsUser: 0"),
    (
        "probe of a host",
        container(livenessProbe={"httpGet": {"path": "/"}}),
        container(livenessProbe={"httpGet": {"host": "169.254.169.254"}}),
        f'{SERVER}.livenessProbe.httpGet.host: "169.254.169.254"',
    ),
    (
        "hook to a host",
        container(lifecycle={"preStop": {"tcpSocket": {"host": ""}}}),
        container(lifecycle={"postStart": {"tcpSocket": {"host": "etcd"}}}),
        f'{SERVER}.lifecycle.postStart.tcpSocket.host: "etcd"',
    ),
    (
        "no securityContext at all",
        pod(containers=[{"name": "more", "image": "a", "securityContext": None}]),
        pod(securityContext=None),
        f"{SERVER}.securityContext.runAsNonRoot",
    ),
    # Not of the standard: a pod is its TTSService's alone.
    (
        "ServiceAccount",
        pod(serviceAccountName=NAME),
        pod(serviceAccountName="admin"),
        f'{AT}.serviceAccountName: "admin" is not allowed; write {NAME}, or leave it out',
    ),
    ("default ServiceAccount", {}, pod(serviceAccountName=None), f"{AT}.serviceAccountName: null"),
    (
        "ServiceAccount, old name",
        pod(serviceAccount=NAME),
        pod(serviceAccount="admin"),
        f'{AT}.serviceAccount: "admin"',
    ),
    (
        "token",
        pod(automountServiceAccountToken=False),
        pod(automountServiceAccountToken=True),
        f"{AT}.automountServiceAccountToken: true",
    ),
    ("token by default", {}, pod(automountServiceAccountToken=None), f"{AT}.automountServiceAccountToken: null"),
    (
        "projected token",
        volume(projected={"sources": [{"configMap": {"name": "a"}}]}),
        volume(projected={"sources": [{"configMap": {}}, {"serviceAccountToken": {"path": "token"}}]}),
        f"{AT}.volumes[more].projected.sources.serviceAccountToken",
    ),
    (
        "projected certificate",
        volume(projected={"sources": []}),
        volume(projected={"sources": [{"podCertificate": {"signerName": "a"}}]}),
        f"{AT}.volumes[more].projected.sources.podCertificate",
    ),
    ("nodeName", pod(nodeName=""), pod(nodeName="control-plane"), f'{AT}.nodeName: "control-plane"'),
    ("priority", pod(priority=None), pod(priority=2000001000), f"{AT}.priority: 2000001000"),
    (
        "system priority",
        pod(priorityClassName="high"),
        pod(priorityClassName="system-node-critical"),
        f'{AT}.priorityClassName: "system-node-critical"',
    ),
    (
        "everything at once",
        {"metadata": {"labels": {"a": "b"}}},
        {"spec": {"$patch": "replace", "containers": [{"name": "server", "image": "a"}]}},
        f"{AT}.serviceAccountName: null",
    ),
]
each_control = pytest.mark.parametrize(
    "fine, wrong, where", [row[1:] for row in CONTROLS], ids=[r[0] for r in CONTROLS]
)


@each_control
def test_controls(fine: Json, wrong: Json, where: str) -> None:
    assert told(fine) == ""
    found = told(wrong)
    assert where in found
    assert found.endswith("policy.podTemplate, or for this namespace alone policy.namespaces.speech.podTemplate")


@each_control
def test_nothing_of_this_is_held_against_an_unrestricted_template(fine: Json, wrong: Json, where: str) -> None:
    assert told(wrong, OPEN) == told(fine, OPEN) == ""
    assert where


@pytest.mark.parametrize("kind", ["initContainers", "ephemeralContainers"])
def test_other_kinds_of_containers_are_judged_too(kind: str) -> None:
    extra = {"name": "more", "image": "a", "securityContext": {"privileged": True}}
    assert f"{AT}.{kind}[more].securityContext.privileged: true" in told(pod(**{kind: [extra]}))


def test_the_operators_own_templates_meet_the_standard() -> None:
    claim = {"engine": "modelscope", "name": "a", "revision": "v1", "storage": {"persistentVolumeClaim": {}}}
    assert told({}) == told({}, model=claim) == told({}, model={**claim, "storage": {"emptyDir": {}}}) == ""


@pytest.mark.parametrize("kind", ["containers", "initContainers"])
def test_a_plain_sidecar_gets_the_restricted_context(kind: str) -> None:
    patch = pod(**{kind: [{"name": "more", "image": "a", "securityContext": {"readOnlyRootFilesystem": True}}]})
    template = pod_template(service({"podTemplate": patch}), DEFAULTS.image, "DoNotSchedule")
    assert template["spec"][kind][-1]["securityContext"] == {
        "readOnlyRootFilesystem": True,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
    }
    assert told(patch) == ""


@pytest.mark.parametrize(
    "given_",
    [{"privileged": True}, {"allowPrivilegeEscalation": True}, {"capabilities": {"add": ["NET_ADMIN"]}}],
    ids=str,
)
def test_a_sidecar_that_says_what_it_needs_is_left_as_it_is(given_: Json) -> None:
    patch = pod(containers=[{"name": "more", "image": "a", "securityContext": given_}])
    template = pod_template(service({"podTemplate": patch}), DEFAULTS.image, "DoNotSchedule")
    assert template["spec"]["containers"][-1]["securityContext"] == given_
    assert told(patch)


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
        asked = service({"podTemplate": template})
        todo = plan(asked, Observed(), DEFAULTS, now=NOW, policy=policy)
        assert bool(todo.violation) is not bool(todo.apply)
        live = {address(each): each for each in map(kept, todo.apply)}
        status = {"currentRevision": next((name for _, kind, name in live if kind == "ControllerRevision"), "")}
        same = service({"podTemplate": template}, status=status)
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
