"""What a tenant may try with a TTSService, on a real API server, under the operator's default policy.

The API server takes each of these: nothing but the operator stands in the way. It must make nothing of them, and say
why.
"""

from __future__ import annotations

import copy
from typing import Any

import pytest

from tests.integration.operator.world import IMAGE, UNHEARD, World, until
from tts_operator.json_object import Json
from tts_operator.kube.resources import CHILDREN, CONTROLLER_REVISIONS, DEPLOYMENTS, SERVICES
from tts_operator.policy import Policy
from tts_operator.reconcile.compliance import REFRESH

NAME = "narrator"
EVIL = "evil.example/miner:v1"
NGINX = "nginx.ingress.kubernetes.io"
AT = "spec.podTemplate.spec"
SERVER = f"{AT}.containers[server]"


def pod(**spec: Any) -> Json:
    return {"podTemplate": {"spec": spec}}


def container(**fields: Any) -> Json:
    return pod(containers=[{"name": "server", **fields}])


def context(**fields: Any) -> Json:
    return container(securityContext=fields)


def volume(**kind: Any) -> Json:
    return pod(volumes=[{"name": "more", **kind}])


def ingress(**fields: Any) -> Json:
    return {"ingress": {"host": "speech.example.com", **fields}}


def prometheus(url: str) -> Json:
    queries = [{"name": "failed", "query": "up", "max": "1"}]
    return {"rollout": {"analysis": {"prometheus": {"url": url, "queries": queries}}}}


URL = "spec.rollout.analysis.prometheus.url"
HOST_ALIAS = {"httpGet": {"host": "169.254.169.254", "port": 80, "path": "/latest"}}
ATTACKS: list[tuple[str, Json, str]] = [
    ("hostPath", volume(hostPath={"path": "/"}), f"{AT}.volumes[more].hostPath: a volume of this type is not allowed"),
    ("nfs", volume(nfs={"server": "files", "path": "/"}), f"{AT}.volumes[more].nfs: a volume of this type"),
    ("hostPID", pod(hostPID=True), f"{AT}.hostPID: true is not allowed; leave it out"),
    ("hostIPC", pod(hostIPC=True), f"{AT}.hostIPC: true is not allowed"),
    ("hostNetwork", pod(hostNetwork=True), f"{AT}.hostNetwork: true is not allowed"),
    ("hostPort", container(ports=[{"containerPort": 7860, "hostPort": 80}]), f"{SERVER}.ports.hostPort: 80 is not"),
    ("privileged", context(privileged=True), f"{SERVER}.securityContext.privileged: true is not allowed"),
    (
        "capability",
        context(capabilities={"add": ["SYS_ADMIN"]}),
        f'{SERVER}.securityContext.capabilities.add: "SYS_ADMIN" is not allowed; only NET_BIND_SERVICE may be added',
    ),
    ("kept capabilities", context(capabilities={"drop": []}), f"{SERVER}.securityContext.capabilities.drop"),
    ("escalation", context(allowPrivilegeEscalation=True), f"{SERVER}.securityContext.allowPrivilegeEscalation: true"),
    ("root", context(runAsUser=0), f"{SERVER}.securityContext.runAsUser: 0 is not allowed"),
    ("root pod", pod(securityContext={"runAsUser": 0}), f"{AT}.securityContext.runAsUser: 0 is not allowed"),
    ("any user", pod(securityContext={"runAsNonRoot": False}), f"{AT}.securityContext.runAsNonRoot: false is not"),
    ("procMount", context(procMount="Unmasked"), f'{SERVER}.securityContext.procMount: "Unmasked" is not allowed'),
    (
        "no seccomp",
        context(seccompProfile={"type": "Unconfined"}),
        f'{SERVER}.securityContext.seccompProfile.type: "Unconfined" is not allowed; allowed: RuntimeDefault, Local',
    ),
    (
        "no AppArmor",
        context(appArmorProfile={"type": "Unconfined"}),
        f'{SERVER}.securityContext.appArmorProfile.type: "Unconfined" is not allowed',
    ),
    ("SELinux", context(seLinuxOptions={"type": "spc_t"}), f'{SERVER}.securityContext.seLinuxOptions.type: "spc_t"'),
    (
        "host process",
        pod(securityContext={"windowsOptions": {"hostProcess": True}}),
        "windowsOptions.hostProcess: true",
    ),
    (
        "sysctl",
        pod(securityContext={"sysctls": [{"name": "kernel.msgmax", "value": "1"}]}),
        f'{AT}.securityContext.sysctls: "kernel.msgmax" is not allowed',
    ),
    ("the kubelet's requests", container(livenessProbe=HOST_ALIAS), f"{SERVER}.livenessProbe.httpGet.host: "),
    (
        "ServiceAccount",
        pod(serviceAccountName="admin"),
        f'{AT}.serviceAccountName: "admin" is not allowed; write {NAME}',
    ),
    ("old ServiceAccount", pod(serviceAccount="admin"), f'{AT}.serviceAccount: "admin" is not allowed'),
    ("default ServiceAccount", pod(serviceAccountName=None), f"{AT}.serviceAccountName: null is not allowed"),
    ("token mount", pod(automountServiceAccountToken=True), f"{AT}.automountServiceAccountToken: true is not allowed"),
    (
        "projected token",
        volume(projected={"sources": [{"serviceAccountToken": {"path": "token"}}]}),
        f"{AT}.volumes[more].projected.sources.serviceAccountToken: an identity for the pod is not allowed",
    ),
    ("nodeName", pod(nodeName="control-plane"), f'{AT}.nodeName: "control-plane" is not allowed'),
    ("priority", pod(priority=2000001000), f"{AT}.priority: 2000001000 is not allowed"),
    (
        "system priority",
        {"placement": {"priorityClassName": "system-node-critical"}},
        'spec.placement.priorityClassName: "system-node-critical" is not allowed, because it is reserved',
    ),
    (
        "priority class",
        pod(priorityClassName="high"),
        f'{AT}.priorityClassName: "high" is not allowed; nothing is allowed there',
    ),
    (
        "image of the spec",
        {"image": {"repository": "evil.example/miner", "tag": "v1"}},
        f'spec.image.repository: the image "{EVIL}" is not allowed; allowed: tts-server.example/speech',
    ),
    ("image of the server", container(image=EVIL), f'{SERVER}.image: the image "{EVIL}" is not allowed'),
    (
        "image of a sidecar",
        pod(containers=[{"name": "more", "image": EVIL}]),
        f'{AT}.containers[more].image: the image "',
    ),
    (
        "image of an init container",
        pod(initContainers=[{"name": "more", "image": EVIL}]),
        f'{AT}.initContainers[more].image: the image "{EVIL}" is not allowed',
    ),
    ("image volume", volume(image={"reference": EVIL}), f'{AT}.volumes[more].image.reference: the image "{EVIL}"'),
    (
        "all of another pod",
        pod(**{"$patch": "replace", "containers": [{"name": "server", "image": EVIL}]}),
        f"{AT}.serviceAccountName: null is not allowed",
    ),
    (
        "snippet",
        ingress(annotations={f"{NGINX}/server-snippet": "return 200;"}),
        f'spec.ingress.annotations: "{NGINX}/server-snippet" is not allowed; allowed: ',
    ),
    (
        "issuer by annotation",
        ingress(annotations={"cert-manager.io/cluster-issuer": "letsencrypt"}),
        'spec.ingress.annotations: "cert-manager.io/cluster-issuer" is not allowed',
    ),
    (
        "issuer",
        ingress(tls={"issuerRef": {"name": "letsencrypt", "kind": "ClusterIssuer"}}),
        'spec.ingress.tls.issuerRef: "ClusterIssuer/letsencrypt" is not allowed; allowed: Issuer/*',
    ),
    (
        "LoadBalancer",
        {"service": {"type": "LoadBalancer"}},
        'spec.service.type: "LoadBalancer" is not allowed; allowed: ClusterIP',
    ),
    ("NodePort", {"service": {"type": "NodePort"}}, 'spec.service.type: "NodePort" is not allowed; allowed: ClusterIP'),
    (
        "a name in the DNS",
        {"service": {"annotations": {"external-dns.alpha.kubernetes.io/hostname": "www.example.com"}}},
        'spec.service.annotations: "external-dns.alpha.kubernetes.io/hostname" is not allowed',
    ),
    ("Prometheus", prometheus("http://etcd.kube-system:2379"), f'{URL}: "http://etcd.kube-system:2379" is not allowed'),
    ("Prometheus with ?", prometheus("http://etcd:2379/v3?x="), "? and # are not allowed in it"),
    ("Prometheus with #", prometheus("http://etcd:2379/v3#"), "? and # are not allowed in it"),
    ("Prometheus with a user", prometheus("http://a:b@etcd:2379"), "a user name or password is not allowed in it"),
    ("Prometheus here", prometheus("http://127.0.0.1:8080"), "its host is a loopback, link-local, or other local"),
    ("Prometheus here, by name", prometheus("http://localhost:8080"), "its host is the operator itself"),
    ("Prometheus here, as a number", prometheus("http://2130706433:8080"), "its host is a number"),
    ("Prometheus here, as IPv6", prometheus("http://[::ffff:127.0.0.1]:8080"), "its host is a loopback, link-local"),
    ("metadata of the cloud", prometheus("http://169.254.169.254"), "its host is a loopback, link-local, or other"),
    ("a large template", pod(volumes=[{"name": "a" * 60}] * 2_000), "spec.podTemplate: it is too large"),
    ("not a pod template", {"podTemplate": {"spec": "text"}}, 'spec.podTemplate.spec: "text" is not an object'),
]


async def refused(world: World) -> str:
    """Wait until a TTSService is rejected. Returns the message."""

    async def told() -> bool:
        return (await world.condition(NAME, "Stalled")).get("reason") == "PolicyViolation"

    await until(told, "Stalled says PolicyViolation")
    ready, stalled = await world.condition(NAME, "Ready"), await world.condition(NAME, "Stalled")
    assert (ready["status"], ready["reason"]) == ("False", "PolicyViolation")
    assert (stalled["status"], stalled["message"]) == ("True", ready["message"])
    return str(ready["message"])


@pytest.mark.parametrize("spec, told", [row[1:] for row in ATTACKS], ids=[row[0] for row in ATTACKS])
async def test_nothing_is_made_of_it(world: World, spec: Json, told: str) -> None:
    mark = world.audit_mark()
    async with world.operator(policy=Policy(), namespaced=True):
        await world.apply(NAME, spec)
        assert told in await refused(world)
        await world.looked_at(NAME)
        for resource in CHILDREN:
            assert not await world.children(NAME, resource), resource.kind
    written = [event["objectRef"] for event in world.requests(mark) if event["verb"] in ("create", "patch", "update")]
    assert {each["resource"] for each in written} == {"ttsservices", "events"}


@pytest.mark.parametrize("host", ["www.example.com", "*.example.com", "bank.example.com"])
@pytest.mark.parametrize("way", ["ingress", "gateway"])
async def test_a_host_of_somebody_else(world: World, host: str, way: str) -> None:
    spec: Json = {"ingress": {"host": host}}
    if way == "gateway":
        spec = {"gateway": {"parentRefs": [{"name": "public"}], "hostnames": [host]}}
    async with world.operator(policy=Policy(hosts=("*.{namespace}.example.com",)), namespaced=True):
        await world.apply(NAME, spec)
        assert f'"{host}" is not allowed; allowed: *.{world.namespace}.example.com' in await refused(world)
        assert not await world.children(NAME, SERVICES)


@pytest.mark.parametrize("spec", [{"ingress": {}}, {"gateway": {"parentRefs": [{"name": "public"}]}}], ids=str)
async def test_all_hosts_at_once(world: World, spec: Json) -> None:
    async with world.operator(policy=Policy(hosts=("*.{namespace}.example.com",)), namespaced=True):
        await world.apply(NAME, spec)
        assert "without a host it would match all names, which is not allowed" in await refused(world)


async def test_an_edited_revision_reaches_no_pod(world: World) -> None:
    async with world.operator(policy=Policy(), namespaced=True):
        await world.apply(NAME, {"replicas": 1, "rollout": UNHEARD})
        await world.ready(NAME)
        before = await world.get(DEPLOYMENTS, NAME)
        (revision,) = await world.children(NAME, CONTROLLER_REVISIONS)
        # Its data never changes; so it is deleted, and made anew with the same name and owner.
        forged = copy.deepcopy(revision)
        forged["data"]["template"]["spec"]["hostPID"] = True
        forged["metadata"] = {
            name: value
            for name, value in revision["metadata"].items()
            if name in ("name", "namespace", "labels", "ownerReferences")
        }
        forged |= {"apiVersion": "apps/v1", "kind": "ControllerRevision"}
    await world.client.delete(
        CONTROLLER_REVISIONS, world.namespace, forged["metadata"]["name"], uid=revision["metadata"]["uid"]
    )
    await world.client.patch(CONTROLLER_REVISIONS, forged, manager="somebody")
    async with world.operator(policy=Policy(), namespaced=True):
        message = await refused(world)
        await world.looked_at(NAME)
        after = await world.get(DEPLOYMENTS, NAME)
    assert "spec.podTemplate.spec.hostPID: true is not allowed" in message
    assert REFRESH.format(name=NAME) in message
    assert before is not None
    assert after is not None
    assert after["spec"] == before["spec"]


async def test_what_runs_is_left_alone_and_a_corrected_spec_is_rolled_out(world: World) -> None:
    corrected: Json = {"replicas": 1, "rollout": UNHEARD}
    async with world.operator(namespaced=True):
        await world.apply(NAME, {**corrected, **pod(hostPID=True)})
        await world.ready(NAME)
    async with world.operator(policy=Policy(), namespaced=True):
        await refused(world)
        assert (await world.condition(NAME, "Available"))["status"] == "True"
        service = await world.get(SERVICES, NAME)
        assert service is not None
        await world.client.delete(SERVICES, world.namespace, NAME, uid=service["metadata"]["uid"])
        await world.looked_at(NAME)
        assert await world.get(SERVICES, NAME) is None, "nothing is healed"
        applied = await world.apply(NAME, corrected)
        await world.ready(NAME, generation=applied["metadata"]["generation"])
        assert await world.get(SERVICES, NAME) is not None
        live = await world.get(DEPLOYMENTS, NAME)
    assert live is not None
    assert "hostPID" not in live["spec"]["template"]["spec"]


@pytest.mark.parametrize("depth", [900, 9_900])
async def test_a_service_that_is_nested_deep_holds_up_nobody(world: World, depth: int) -> None:
    """The operator must be able to read whatever the API server accepts: all tenants share its watch."""
    begin = '{"apiVersion":"tts-operator.io/v1alpha1","kind":"TTSService","metadata":{"name":"deep"},"spec":'
    text = begin + '{"podTemplate":{"spec":{"affinity":' + '{"a":' * depth + "{}" + "}" * (depth + 4)
    async with world.operator(policy=Policy(), namespaced=True):
        world.product.kubectl("-n", world.namespace, "create", "-f", "-", stdin=text)
        await world.apply(NAME)
        await world.ready(NAME)

        async def told() -> bool:
            return "nested too deeply" in (await world.condition("deep", "Stalled")).get("message", "")

        await until(told, "the deep one is refused")


async def test_the_default_policy_allows_what_needs_no_rights(world: World) -> None:
    sidecar = {"name": "more", "image": IMAGE.replace("v9", "v8")}
    spec = {
        **pod(containers=[sidecar]),
        "replicas": 1,
        "ingress": {"host": "speech.example.com", "annotations": {f"{NGINX}/proxy-read-timeout": "60"}},
    }
    async with world.operator(policy=Policy(), namespaced=True):
        await world.apply(NAME, spec)
        await world.ready(NAME)
    live = await world.get(DEPLOYMENTS, NAME)
    assert live is not None
    _, more = live["spec"]["template"]["spec"]["containers"]
    assert more["securityContext"] == {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}


async def test_an_operator_begins_with_its_policy_in_the_log(world: World, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", logger="tts_operator"):
        async with world.operator(policy=Policy(), namespaced=True):
            pass
    (told,) = [record.getMessage() for record in caplog.records if "policy: " in record.getMessage()]
    assert "podTemplate Restricted; images {serverImage};" in told
