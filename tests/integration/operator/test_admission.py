"""The chart's ValidatingAdmissionPolicy on a real API server: what is not allowed is refused, and told what is."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from devcluster.errors import DevclusterError
from devcluster.product import ROOT, Product
from tests.integration.operator.test_examples import EXAMPLES
from tests.integration.operator.test_install import run
from tests.integration.operator.world import AdminClient, access
from tts_operator.api import KIND
from tts_operator.json_object import Json
from tts_operator.kube.connection import Connection
from tts_operator.kube.errors import ApiError
from tts_operator.kube.resources import TTSSERVICES

BANK, OPEN, SHOWN = "admission-bank", "admission-open", "admission-examples"
"""Namespaces: of the general rules, of the freest ones, and of what the examples need."""
PATIENCE = 60.0
SERVER = "ghcr.io/tts-operator/tts-server"
NGINX = "nginx.ingress.kubernetes.io"
POLICY: Json = {
    "images": ["{serverImage}", "registry.example/bank/*", "registry.example:5000/voice+more"],
    "hosts": ["*.{namespace}.example.com"],
    "serviceAnnotations": ["example.com/*"],
    "priorityClasses": ["tenant-*"],
    "issuers": ["Issuer/*", "ClusterIssuer/tenants", "awspca.cert-manager.io/AWSPCAIssuer/*"],
    "prometheus": ["http://prometheus.monitoring.svc:9090", "http://*.metrics.svc:9090/p/*"],
    "namespaces": {
        OPEN: {
            "podTemplate": "Unrestricted",
            **{
                field: ["*"]
                for field in (
                    "images", "hosts", "ingressAnnotations", "serviceAnnotations", "serviceTypes", "priorityClasses",
                    "issuers", "prometheus",
                )
            },
        },
        SHOWN: {
            "images": ["{serverImage}", "registry.example.com/*"],
            "hosts": ["speech.example.com"],
            "serviceAnnotations": [
                "service.beta.kubernetes.io/aws-load-balancer-scheme",
                "service.beta.kubernetes.io/load-balancer-source-ranges",
                "networking.gke.io/load-balancer-type",
            ],
            "serviceTypes": ["ClusterIP", "NodePort", "LoadBalancer"],
            "issuers": ["ClusterIssuer/letsencrypt"],
            "prometheus": ["http://prometheus.monitoring:9090"],
        },
    },
}  # fmt: skip


def pod(**spec: Any) -> Json:
    return {"podTemplate": {"spec": spec}}


def container(**fields: Any) -> Json:
    return pod(containers=[{"name": "server", **fields}])


def context(**fields: Any) -> Json:
    return container(securityContext=fields)


def volume(**kind: Any) -> Json:
    return pod(volumes=[{"name": "more", **kind}])


def ingress(**fields: Any) -> Json:
    return {"ingress": {"host": f"speech.{BANK}.example.com", **fields}}


def issuer(**reference: str) -> Json:
    return ingress(tls={"issuerRef": reference})


def prometheus(url: str) -> Json:
    queries = [{"name": "failed", "query": "up", "max": "1"}]
    return {"rollout": {"analysis": {"prometheus": {"url": url, "queries": queries}}}}


OTHER_ACCOUNT = "serviceAccountName other than narrator"
ATTACKS: list[tuple[str, Json, str]] = [
    ("hostNetwork", pod(hostNetwork=True), "spec.podTemplate: hostNetwork is not allowed"),
    ("hostPID", pod(hostPID=True), "spec.podTemplate: hostPID is not allowed"),
    ("hostIPC", pod(hostIPC=True), "spec.podTemplate: hostIPC is not allowed"),
    ("all of it", pod(hostPID=True, nodeName="n", priority=1), "hostPID, nodeName, priority is not allowed"),
    ("hostPath", volume(hostPath={"path": "/"}), "a volume of type hostPath is not allowed"),
    ("nfs", volume(nfs={"server": "files", "path": "/"}), "a volume of type nfs is not allowed"),
    ("hidden hostPath", volume(emptyDir={}, hostPath={"path": "/"}), "a volume of type hostPath"),
    ("privileged", context(privileged=True), "privileged is not allowed"),
    ("capability", context(capabilities={"add": ["SYS_ADMIN"]}), "capabilities.add other than NET_BIND_SERVICE"),
    ("kept capabilities", context(capabilities={"drop": []}), "capabilities.drop without ALL"),
    ("escalation", context(allowPrivilegeEscalation=True), "allowPrivilegeEscalation: true is not allowed"),
    ("root", context(runAsUser=0), "runAsUser: 0 is not allowed"),
    ("root pod", pod(securityContext={"runAsUser": 0}), "runAsUser: 0 is not allowed"),
    ("any user", context(runAsNonRoot=False), "runAsNonRoot: false is not allowed"),
    ("no seccomp", context(seccompProfile={"type": "Unconfined"}), "a seccompProfile other than RuntimeDefault"),
    ("procMount", context(procMount="Unmasked"), "procMount is not allowed"),
    ("no AppArmor", context(appArmorProfile={"type": "Unconfined"}), "an AppArmor profile other than"),
    (
        "no AppArmor, by annotation",
        {
            "podTemplate": {
                "metadata": {"annotations": {"container.apparmor.security.beta.kubernetes.io/a": "unconfined"}}
            }
        },
        "an AppArmor profile other than",
    ),
    ("SELinux type", context(seLinuxOptions={"type": "spc_t"}), "seLinuxOptions is not allowed"),
    ("SELinux user", context(seLinuxOptions={"user": "system_u"}), "seLinuxOptions is not allowed"),
    ("host process", context(windowsOptions={"hostProcess": True}), "windowsOptions.hostProcess is not allowed"),
    ("sysctl", pod(securityContext={"sysctls": [{"name": "kernel.msgmax", "value": "1"}]}), "sysctls is not allowed"),
    ("hostPort", container(ports=[{"containerPort": 7860, "hostPort": 80}]), "hostPort is not allowed"),
    ("probe of a host", container(livenessProbe={"httpGet": {"host": "metadata"}}), "handler with a host"),
    (
        "stop hook to a host",
        container(lifecycle={"preStop": {"httpGet": {"host": "metadata"}}}),
        "a probe or lifecycle handler with a host",
    ),
    ("ServiceAccount", pod(serviceAccountName="admin"), OTHER_ACCOUNT),
    ("default ServiceAccount", pod(serviceAccountName=None), OTHER_ACCOUNT),
    ("ServiceAccount, old name", pod(serviceAccount="admin"), "serviceAccount other than narrator"),
    ("token", pod(automountServiceAccountToken=True), "automountServiceAccountToken is not allowed"),
    (
        "projected token",
        volume(projected={"sources": [{"serviceAccountToken": {"path": "token"}}]}),
        "a projected serviceAccountToken or podCertificate is not allowed",
    ),
    ("nodeName", pod(nodeName="control-plane"), "nodeName is not allowed"),
    ("priority", pod(priority=2000001000), "priority is not allowed"),
    ("system priority", pod(priorityClassName="system-node-critical"), "priorityClassName system-node-critical"),
    (
        "system priority, by placement",
        {"placement": {"priorityClassName": "system-cluster-critical"}},
        "priorityClassName system-cluster-critical is not allowed",
    ),
    ("priority class", {"placement": {"priorityClassName": "high"}}, "high is not allowed"),
    ("priority class of the pod", pod(priorityClassName="high"), "high is not allowed; allowed: tenant-*."),
    ("image", {"image": {"repository": "evil.example/miner", "tag": "v1"}}, "evil.example/miner is not allowed"),
    ("image that begins well", {"image": {"repository": f"{SERVER}-evil"}}, f"{SERVER}-evil is not allowed"),
    ("image that ends well", {"image": {"repository": f"evil.example/{SERVER}"}}, f"evil.example/{SERVER} is not"),
    ("image with a dot that is none", {"image": {"repository": "ghcrxio/tts-operator/tts-server"}}, "ghcrxio/"),
    ("image with a plus that is one", container(image="registry.example:5000/voiceemore:v1"), "voiceemore is not"),
    ("image of the server", container(image="evil.example:5000/x:v1@sha256:00"), "evil.example:5000/x is not allowed"),
    ("image of a sidecar", pod(containers=[{"name": "miner", "image": "miner"}]), "miner is not allowed"),
    ("image of an init container", pod(initContainers=[{"name": "a", "image": "miner:v1"}]), "miner is not allowed"),
    ("image of a volume", volume(image={"reference": "miner:v1"}), "a volume of type image is not allowed"),
    ("image that is a number", container(image=5), "what is no text is not allowed"),
    ("host of another", {"ingress": {"host": "speech.books.example.com"}}, "speech.books.example.com is not allowed"),
    ("all hosts", {"ingress": {}}, "none, which is all names, is not allowed"),
    (
        "host of another, by a route",
        {"gateway": {"parentRefs": [{"name": "public"}], "hostnames": [f"a.{BANK}.example.com", "www.example.com"]}},
        f"spec.gateway.hostnames: www.example.com is not allowed; allowed: *.{BANK}.example.com. A cluster admin",
    ),
    ("all hosts, by a route", {"gateway": {"parentRefs": [{"name": "public"}]}}, "none, which is all names,"),
    ("snippet", ingress(annotations={f"{NGINX}/server-snippet": "x"}), f"{NGINX}/server-snippet is not allowed"),
    ("auth-url", ingress(annotations={f"{NGINX}/auth-url": "http://x"}), f"{NGINX}/auth-url is not allowed"),
    (
        "name server",
        ingress(annotations={"external-dns.alpha.kubernetes.io/hostname": "www.example.com"}),
        "external-dns.alpha.kubernetes.io/hostname is not allowed",
    ),
    (
        "key with a line's end",
        ingress(annotations={"a\nb": "x"}),
        "spec.ingress.annotations: not allowed; a cluster administrator can allow it: Helm value",
    ),
    ("annotation", {"service": {"annotations": {"evil.example/a": "x"}}}, "evil.example/a is not allowed"),
    ("LoadBalancer", {"service": {"type": "LoadBalancer"}}, "LoadBalancer is not allowed"),
    ("NodePort", {"service": {"type": "NodePort"}}, "NodePort is not allowed; allowed: ClusterIP."),
    ("ClusterIssuer", issuer(name="letsencrypt", kind="ClusterIssuer"), "ClusterIssuer/letsencrypt is not allowed"),
    ("external issuer", issuer(name="a", kind="Issuer", group="evil.example"), "evil.example/Issuer/a is not allowed"),
    (
        "issuer with a slash",
        issuer(name="b", kind="ClusterIssuer", group="x/Issuer"),
        "x/Issuer/ClusterIssuer/b is not",
    ),
    ("another Prometheus", prometheus("http://evil.example:9090"), "http://evil.example:9090 is not allowed"),
    (
        "another port",
        prometheus("http://prometheus.monitoring.svc:9091"),
        "allowed: http://prometheus.monitoring.svc:9090, http://*.metrics.svc:9090/p/*.",
    ),
    ("host in the path", prometheus("http://evil.example/.metrics.svc:9090/p/"), "is not allowed"),
    ("query", prometheus("http://a.metrics.svc:9090/p/?x="), "without user, ? and #"),
    ("fragment", prometheus("http://a.metrics.svc:9090/p/#x"), "without user, ? and #"),
    ("user", prometheus("http://evil.example@a.metrics.svc:9090/p/"), "without user, ? and #"),
]
LOOPBACK = [
    "http://localhost:9090", "http://x.localhost", "http://127.0.0.1/", "http://127.1", "http://2130706433:80",
    "http://0x7f000001/", "http://0.0.0.0", "http://[::1]:9090", "http://[::]", "http://[::ffff:127.0.0.1]/",
    "https://169.254.169.254/latest", "http://[fe80::1]", "http://LOCALHOST.",
]  # fmt: skip
FINE: list[tuple[str, Json]] = [
    ("defaults", {}),
    ("server image", {"image": {"repository": SERVER, "tag": "v9"}}),
    ("own image", {"image": {"repository": "registry.example/bank/a/b", "digest": "sha256:" + "a" * 64}}),
    ("sidecar", pod(containers=[{"name": "logs", "image": "registry.example/bank/logs:v1@sha256:00"}])),
    ("image with a port", pod(containers=[{"name": "logs", "image": "registry.example:5000/voice+more"}])),
    (
        "restricted sidecar",
        pod(
            securityContext={"runAsUser": 1000, "sysctls": [{"name": "net.ipv4.tcp_syncookies", "value": "1"}]},
            containers=[
                {
                    "name": "logs",
                    "image": "registry.example/bank/logs",
                    "ports": [{"containerPort": 80}, {"containerPort": 81, "hostPort": 0}],
                    "livenessProbe": {"httpGet": {"path": "/", "port": 80}},
                    "lifecycle": {"preStop": {"exec": {"command": ["true"]}}},
                    "securityContext": {
                        "privileged": False,
                        "allowPrivilegeEscalation": False,
                        "runAsNonRoot": True,
                        "capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]},
                        "seccompProfile": {"type": "Localhost", "localhostProfile": "a.json"},
                        "procMount": "Default",
                        "seLinuxOptions": {"type": "container_t", "level": "s0"},
                    },
                }
            ],
        ),
    ),
    ("Secret of the namespace", volume(secret={"secretName": "voices"})),
    ("ConfigMap by projection", volume(projected={"sources": [{"configMap": {"name": "words"}}]})),
    ("volume that is taken out", pod(volumes=[{"name": "tmp", "$patch": "delete"}])),
    ("own ServiceAccount", pod(serviceAccountName="narrator", automountServiceAccountToken=False)),
    ("priority class", {"placement": {"priorityClassName": "tenant-low"}}),
    ("own host", {"ingress": {"host": f"a.b.{BANK}.example.com"}}),
    ("harmless annotations", ingress(annotations={f"{NGINX}/proxy-read-timeout": "60", f"{NGINX}/limit-rps": "5"})),
    ("annotation of the Service", {"service": {"annotations": {"example.com/team": "speech"}}}),
    ("own issuer", issuer(name="own")),
    ("ClusterIssuer", issuer(name="tenants", kind="ClusterIssuer")),
    ("external issuer", issuer(name="a", kind="AWSPCAIssuer", group="awspca.cert-manager.io")),
    ("Prometheus", prometheus("http://prometheus.monitoring.svc:9090")),
    ("Prometheus by a pattern", prometheus("http://BANK.metrics.svc:9090/p/bank")),
]
ODD: list[Json] = [
    {"podTemplate": {"spec": "text"}},
    {"podTemplate": {"spec": None, "metadata": None}},
    {"podTemplate": {"spec": ["hostPID"], "metadata": {"annotations": "text"}}},
    {"podTemplate": {"metadata": "text"}},
    pod(containers="text", initContainers={"a": 1}, volumes={"hostPath": {}}),
    pod(containers=["text", 5, None, [], {}], volumes=["text", 5, None, [], {}]),
    pod(securityContext="text", containers=[{"name": "a", "securityContext": 5, "ports": 5, "lifecycle": "a"}]),
    pod(
        containers=[
            {"image": None, "ports": [None, "a"], "livenessProbe": {"httpGet": "a"}, "lifecycle": {"preStop": 1}}
        ]
    ),
    pod(securityContext={"sysctls": [None, "a", {}], "seLinuxOptions": 5, "capabilities": "a", "seccompProfile": []}),
    context(
        capabilities={"add": "a", "drop": "a"}, appArmorProfile=None, windowsOptions=5, seLinuxOptions={"type": None}
    ),
    pod(volumes=[{"name": "a", "projected": {"sources": [None, "a"]}}, {"name": "b", "projected": 5}]),
    pod(hostPID=None, nodeName=None, priority=None, priorityClassName=None, volumes=None, containers=None),
    pod(priorityClassName=5),
]
"""What no pod can be: the policy has nothing against it, and must not fail over it."""
ODD_ATTACKS: list[tuple[Json, str]] = [
    (pod(hostPID="yes"), "hostPID is not allowed"),
    (pod(nodeName=["a"]), "nodeName is not allowed"),
    (pod(serviceAccountName={"a": 1}), OTHER_ACCOUNT),
    (context(privileged="true", runAsUser=0.0), "privileged, runAsUser: 0 is not allowed"),
    (container(ports=[{"hostPort": "80"}]), "hostPort is not allowed"),
]


def rendered(helm: Path, values: Path) -> list[Json]:
    """The ValidatingAdmissionPolicy and its binding, of a release for the test's namespaces only."""
    text = run(
        helm, "template", "bounds", ROOT / "charts/tts-operator", "--namespace=default", "--kube-version=1.36.0",
        "--show-only=templates/admission.yaml", "--values", values,
    )  # fmt: skip
    return [body for body in yaml.safe_load_all(text) if body]


def service(namespace: str, spec: Json, *, name: str = "narrator", **metadata: Any) -> Json:
    return {
        "apiVersion": TTSSERVICES.api_version,
        "kind": KIND,
        "metadata": {"name": name, "namespace": namespace, **metadata},
        "spec": spec,
    }


@pytest.fixture(scope="module")
def bounded(helm: Path, installed: Product, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """The policy in force, and TTSServices `old` and `leaving` that were there before and violate it."""
    namespaces = [BANK, OPEN, SHOWN]
    made = [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}} for name in namespaces]
    installed.kubectl("apply", "-f", "-", stdin=yaml.safe_dump_all(made))
    for name in ("old", "leaving"):
        body = service(BANK, pod(hostPID=True), name=name, finalizers=["example.com/test"])
        installed.kubectl("apply", "-f", "-", stdin=json.dumps(body))
    values = tmp_path_factory.mktemp("admission") / "values.yaml"
    values.write_text(yaml.safe_dump({"policy": POLICY, "watchNamespaces": namespaces}))
    policy = yaml.safe_dump_all(rendered(helm, values))
    installed.kubectl("apply", "-f", "-", stdin=policy)
    try:
        attack, deadline = json.dumps(service(BANK, pod(hostPID=True))), time.monotonic() + PATIENCE
        create = ("create", "--dry-run=server", "-f", "-")
        while "created" in installed.kubectl(*create, stdin=attack, check=False):
            assert time.monotonic() < deadline, f"the policy is not in force within {PATIENCE:.0f} s"
        yield installed
    finally:
        installed.kubectl("delete", "--ignore-not-found", "-f", "-", stdin=policy)
        free = ("--type=merge", '-p={"metadata":{"finalizers":null}}')
        installed.kubectl("-n", BANK, "patch", "tts", "old", *free)
        installed.kubectl("-n", BANK, "patch", "tts", "leaving", *free, check=False)
        installed.kubectl("delete", "namespace", *namespaces, "--wait=false")


@pytest.fixture
async def client(bounded: Product) -> AsyncIterator[AdminClient]:
    """An administrator's requests: the policy holds for everybody."""
    connection = Connection(access(bounded.provider.kubeconfig()))
    yield AdminClient(connection.session, connection.access.server)
    await connection.close()


async def apply(client: AdminClient, namespace: str, spec: Json, *, name: str = "narrator") -> Json:
    """What the API server says to a TTSService of this spec; it is not stored."""
    path = TTSSERVICES.path(namespace)
    params = {"dryRun": "All", "fieldValidation": "Strict"}
    return await client._request("POST", path, params=params, body=service(namespace, spec, name=name))


async def refusal(client: AdminClient, namespace: str, spec: Json) -> str:
    """The message by which it is refused. It is never that of an expression that failed."""
    with pytest.raises(ApiError) as caught:
        await apply(client, namespace, spec)
    assert caught.value.status == 403
    assert "ValidatingAdmissionPolicy 'bounds-policy'" in caught.value.message
    assert "error" not in caught.value.message
    return caught.value.message


@pytest.mark.parametrize("spec, told", [row[1:] for row in ATTACKS], ids=[row[0] for row in ATTACKS])
async def test_an_attack_is_refused(client: AdminClient, spec: Json, told: str) -> None:
    message = await refusal(client, BANK, spec)
    assert told in message
    if "user, ? and #" not in told:
        assert "cluster administrator can allow it: Helm value policy." in message


@pytest.mark.parametrize("spec, told", ODD_ATTACKS, ids=[told for _, told in ODD_ATTACKS])
async def test_an_attack_of_an_odd_type_is_refused(client: AdminClient, spec: Json, told: str) -> None:
    assert told in await refusal(client, BANK, spec)


@pytest.mark.parametrize("url", LOOPBACK)
async def test_no_policy_lets_the_operator_ask_itself_or_its_node(client: AdminClient, url: str) -> None:
    assert "a loopback or link-local host is never allowed" in await refusal(client, OPEN, prometheus(url))


@pytest.mark.parametrize("spec", [spec for _, spec in FINE], ids=[name for name, _ in FINE])
async def test_what_is_allowed_passes(client: AdminClient, spec: Json) -> None:
    await apply(client, BANK, spec)


@pytest.mark.parametrize("spec", ODD, ids=str)
async def test_what_no_pod_can_be_passes(client: AdminClient, spec: Json) -> None:
    await apply(client, BANK, spec)


@pytest.mark.parametrize(
    "spec",
    [
        pod(hostPID=True, nodeName="n", serviceAccountName="admin", priorityClassName="system-node-critical"),
        volume(hostPath={"path": "/"}),
        {"image": {"repository": "evil.example/miner"}},
        {"ingress": {"annotations": {f"{NGINX}/server-snippet": "x"}}},
        {"service": {"type": "LoadBalancer", "annotations": {"a": "b"}}},
        prometheus("https://evil.example/"),
    ],
    ids=str,
)
async def test_a_namespace_has_its_own_rules(client: AdminClient, spec: Json) -> None:
    await apply(client, OPEN, spec)
    await refusal(client, BANK, spec)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_an_example_passes_where_its_needs_are_allowed(bounded: Product, example: Path) -> None:
    said = bounded.kubectl("-n", SHOWN, "apply", "--dry-run=server", "-f", str(example))
    assert "ttsservice.tts-operator.io" in said


async def test_a_large_spec_costs_no_more_than_is_allowed(client: AdminClient) -> None:
    keys = {f"{NGINX}/limit-{'x' * 200}{number}": "5" for number in range(64)}
    containers = [{"name": f"c{number}", "image": f"registry.example/bank/c{number}:v1"} for number in range(50)]
    volumes = [{"name": f"v{number}", "secret": {"secretName": "voices"}} for number in range(50)]
    hosts = [f"{'x' * 60}.{number}.{BANK}.example.com" for number in range(16)]
    spec = {
        **ingress(annotations=keys),
        **pod(containers=containers, volumes=volumes),
        "gateway": {"parentRefs": [{"name": "public"}], "hostnames": hosts},
    }
    await apply(client, BANK, spec)


async def test_what_was_there_before_can_be_changed_but_for_its_spec(client: AdminClient) -> None:
    def patch(body: Json, sub: str | None = None) -> Any:
        path = TTSSERVICES.path(BANK, "old", sub)
        return client._request("PATCH", path, body=body, content_type="application/merge-patch+json")

    await patch({"metadata": {"labels": {"team": "speech"}, "annotations": {"tts-operator.io/refresh": "now"}}})
    await patch({"status": {"observedGeneration": 1}}, "status")
    await patch({"spec": {"replicas": 5}}, "scale")
    with pytest.raises(ApiError, match="hostPID is not allowed"):
        await patch({"spec": {"replicas": 7}})
    await patch({"spec": {"podTemplate": None}})
    with pytest.raises(ApiError, match="hostPID is not allowed"):
        await patch({"spec": {"podTemplate": {"spec": {"hostPID": True}}}})


async def test_a_finalizer_can_be_taken_from_what_was_there_before(bounded: Product, client: AdminClient) -> None:
    await client._request("DELETE", TTSSERVICES.path(BANK, "leaving"))
    body = await client.get(TTSSERVICES, BANK, "leaving")
    assert body["metadata"]["deletionTimestamp"]
    await client.merge(TTSSERVICES, BANK, "leaving", {"metadata": {"finalizers": None}})
    assert bounded.kubectl("-n", BANK, "get", "tts", "leaving", "--ignore-not-found") == ""


def test_kubectl_shows_the_message(bounded: Product) -> None:
    asked = json.dumps(service(BANK, {"service": {"type": "LoadBalancer"}}))
    with pytest.raises(DevclusterError) as caught:
        bounded.kubectl("apply", "-f", "-", stdin=asked)
    assert (
        'Error from server (Forbidden): error when creating "STDIN": ttsservices.tts-operator.io "narrator" is '
        "forbidden: ValidatingAdmissionPolicy 'bounds-policy' with binding 'bounds-policy' denied request: "
        "spec.service.type: LoadBalancer is not allowed; allowed: ClusterIP. A cluster administrator can allow it: "
        f"Helm value policy.serviceTypes, or for this namespace alone policy.namespaces.{BANK}.serviceTypes"
    ) in str(caught.value)


def test_the_api_server_finds_nothing_wrong_with_the_expressions(bounded: Product) -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        policy = json.loads(bounded.kubectl("get", "validatingadmissionpolicy", "bounds-policy", "-o", "json"))
        if policy.get("status", {}).get("observedGeneration") == policy["metadata"]["generation"]:
            break
        assert time.monotonic() < deadline, f"the policy's types are not checked within {PATIENCE:.0f} s"
    assert "expressionWarnings" not in policy["status"].get("typeChecking", {})
