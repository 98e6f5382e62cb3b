"""Each control of the Pod Security Standard."""

import pytest

from tests.unit.operator.policy.templates import (
    AT,
    SERVER,
    annotation,
    container,
    context,
    pod,
    pod_context,
    told,
    volume,
)
from tests.unit.operator.worlds import DEFAULTS, NAME, OPEN, service
from tts_operator.desired.pod.template import pod_template
from tts_operator.json_object import Json

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
    ("image volume", volume(image={"reference": "a"}), volume(rbd={"image": "a"}), f"{AT}.volumes[more].rbd"),
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
