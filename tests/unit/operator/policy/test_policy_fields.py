"""What the policy allows in a spec's own fields."""

from typing import Any

import pytest

from tests.integration.operator.admission_cases import LOOPBACK_BACKENDS
from tests.unit.operator.worlds import OPEN, everything
from tts_operator.api import Spec
from tts_operator.json_object import Json
from tts_operator.policy import Policy, is_forbidden, message, spec_violations

IMAGE = "ghcr.io/tts-operator/tts-server:v1"
NGINX = "nginx.ingress.kubernetes.io"
POLICY = Policy.model_validate(
    {
        "hosts": ["*.{namespace}.example.com", "shared.example.com"],
        "serviceAnnotations": ["example.com/*"],
        "serviceTypes": ["ClusterIP", "NodePort"],
        "issuers": ["Issuer/*", "ClusterIssuer/tenants", "awspca.cert-manager.io/AWSPCAIssuer/*"],
        "priorityClasses": ["batch-*"],
        "kafkaBrokers": ["kafka.shared:9093", "*.kafka.{namespace}.svc:*"],
        "webhookHosts": ["*.{namespace}.example.com"],
        "s3Endpoints": ["https://s3.eu-*.amazonaws.com", "https://minio.{namespace}:9000"],
        "backends": [
            "http://*.{namespace}.svc:8880/*",
            "grpc://triton.{namespace}:*",
            "https://speech.example.com/v1",
            "https://*.example.net/v1*",
        ],
        "prometheus": ["http://prometheus.monitoring.svc:9090", "http://*.metrics.svc:9090/p/*", "https://mimir/*"],
    }
)


def told(spec: Json, policy: Policy = POLICY) -> str:
    """The violations of a spec in the namespace `bank`; empty if it is allowed."""
    found = spec_violations(Spec.model_validate(spec), policy.for_namespace("bank", IMAGE))
    return message(found, "bank") if found else ""


def ingress(**fields: Any) -> Json:
    return {"ingress": {"host": "a.bank.example.com", **fields}}


def gateway(*hosts: str) -> Json:
    return {"gateway": {"parentRefs": [{"name": "public"}], "hostnames": list(hosts)}}


def issuer(**reference: str) -> Json:
    return ingress(tls={"issuerRef": reference})


def jobs(*, broker: str = "kafka.shared:9093", placement: Json | None = None, **bucket: str) -> Json:
    """Jobs over this broker, in a bucket with these fields."""
    s3 = {"bucket": "books", "credentialsSecretRef": {"name": "books"}, **bucket}
    kafka = {"bootstrapServers": ["kafka.shared:9093", broker]}
    workers = {"workers": {"placement": placement}} if placement else {}
    return {"jobs": {"storage": {"s3": s3}, "kafka": kafka, **workers}}


def backend(url: str) -> Json:
    """A backend at this URL."""
    if url.startswith("grpc"):
        return {"backend": {"triton": {"url": url}}}
    return {"backend": {"upstream": {"url": url, "voices": [{"name": "a"}]}}}


def separate(priority: str) -> Json:
    """A separate backend with this priority class."""
    upstream = {"container": {"image": "kokoro:v1"}, "voices": [{"name": "a"}]}
    return {"backend": {"mode": "Separate", "upstream": upstream, "placement": {"priorityClassName": priority}}}


def prometheus(url: str) -> Json:
    return {"rollout": {"analysis": {"prometheus": {"url": url, "queries": [{"name": "a", "query": "b", "max": 1}]}}}}


@pytest.mark.parametrize(
    "spec",
    [
        {},
        {"service": {"type": "NodePort", "annotations": {"example.com/a": "b"}}},
        ingress(),
        ingress(host="*.bank.example.com"),
        ingress(host="shared.example.com"),
        ingress(annotations={f"{NGINX}/proxy-read-timeout": "60", f"{NGINX}/limit-rps": "5"}),
        ingress(tls={"secretName": "own"}),
        gateway("a.bank.example.com", "shared.example.com"),
        issuer(name="own"),
        issuer(name="own", group=""),
        issuer(name="tenants", kind="ClusterIssuer"),
        issuer(name="own", kind="AWSPCAIssuer", group="awspca.cert-manager.io"),
        prometheus("http://prometheus.monitoring.svc:9090"),
        prometheus("http://Prometheus.monitoring.SVC:9090"),
        prometheus("http://a.metrics.svc:9090/p/bank"),
        prometheus("https://mimir/prometheus"),
    ],
    ids=str,
)
def test_what_is_allowed(spec: Json) -> None:
    assert told(spec) == ""


SERVICE, INGRESS = "spec.service.annotations", "spec.ingress.annotations"
URL = "spec.rollout.analysis.prometheus.url"


@pytest.mark.parametrize(
    "spec, field, value",
    [
        ({"service": {"type": "LoadBalancer"}}, 'spec.service.type: "LoadBalancer" is', "serviceTypes"),
        ({"service": {"annotations": {"other.com/a": "b"}}}, f'{SERVICE}: "other.com/a" is', "serviceAnnotations"),
        (ingress(host="a.books.example.com"), 'spec.ingress.host: "a.books.example.com" is', "hosts"),
        (ingress(host="bank.example.com"), 'spec.ingress.host: "bank.example.com" is', "hosts"),
        (ingress(host=None), "spec.ingress.host: without a host it would match all names, which is", "hosts"),
        (gateway(), "spec.gateway.hostnames: without a host it would match all names, which is", "hosts"),
        (gateway("a.bank.example.com", "other.com"), 'spec.gateway.hostnames: "other.com" is', "hosts"),
        (
            ingress(annotations={f"{NGINX}/server-snippet": "x"}),
            f'{INGRESS}: "{NGINX}/server-snippet" is',
            "ingressAnnotations",
        ),
        (
            ingress(annotations={f"{NGINX}/configuration-snippet": "x"}),
            f'{INGRESS}: "{NGINX}/configuration-snippet" is',
            "ingressAnnotations",
        ),
        (
            ingress(annotations={"cert-manager.io/cluster-issuer": "x"}),
            f'{INGRESS}: "cert-manager.io/cluster-issuer" is',
            "ingressAnnotations",
        ),
        (issuer(name="others", kind="ClusterIssuer"), '"ClusterIssuer/others" is', "issuers"),
        (issuer(name="own", group="other.io"), '"other.io/Issuer/own" is', "issuers"),
        (
            issuer(name="x", kind="ClusterIssuer", group="cert-manager.io/Issuer"),
            "spec.ingress.tls.issuerRef",
            "issuers",
        ),
        (issuer(name="ClusterIssuer/x"), "spec.ingress.tls.issuerRef", "issuers"),
        (issuer(name="x", kind="ClusterIssuer", group="Issuer"), "spec.ingress.tls.issuerRef", "issuers"),
        (prometheus("http://prometheus.monitoring.svc"), f'{URL}: "http://prometheus.monitoring.svc" is', "prometheus"),
        (prometheus("http://prometheus.monitoring.svc:9090/"), URL, "prometheus"),
        (prometheus("http://prometheus.monitoring.svc:9090.evil.com"), URL, ""),
        (prometheus("https://prometheus.monitoring.svc:9090"), URL, "prometheus"),
        (prometheus("http://evil.com/.metrics.svc:9090/p/"), URL, "prometheus"),
        (prometheus("https://mimir.evil.com/x"), URL, "prometheus"),
        (prometheus("https://mimir"), URL, "prometheus"),
    ],
    ids=str,
)
def test_what_is_not_allowed_is_told_with_who_can_allow_it(spec: Json, field: str, value: str) -> None:
    found = told(spec)
    assert field in found
    if value:
        assert "allowed; allowed: " in found
        assert found.endswith(f"Helm value policy.{value}, or for this namespace alone policy.namespaces.bank.{value}")


OWN = "http://prometheus.monitoring.svc:9090"


@pytest.mark.parametrize(
    "url, why",
    [
        (f"{OWN}/?x=", "? and # are not allowed in it"),
        (f"{OWN}#x", "? and # are not allowed in it"),
        ("http://user:password@prometheus.monitoring.svc:9090", "a user name or password is not allowed"),
        ("http://@prometheus", "a user name or password is not allowed"),
        ("http://prometheus\\@evil.com", "invalid characters"),
        ("http://prométheus", "invalid characters"),
        ("http://prom\x00etheus", "invalid characters"),
        ("http://:9090", "it is not a valid URL"),
        ("http:///path", "it is not a valid URL"),
        ("http://p:notaport", "it is not a valid URL"),
        ("http://p:99999", "it is not a valid URL"),
        ("http://[::1", "it is not a valid URL"),
        ("http://%31%32%37.0.0.1", "% is not allowed in its host"),
        ("http://[fe80::1%25eth0]", "% is not allowed in its host"),
        ("http://localhost:9090", "the operator itself"),
        ("http://LOCALHOST", "the operator itself"),
        ("http://localhost.", "the operator itself"),
        ("http://a.localhost", "the operator itself"),
        ("http://127.0.0.1:9090", "local address"),
        ("http://127.9.9.9", "local address"),
        ("http://169.254.169.254/latest", "local address"),
        ("http://0.0.0.0", "local address"),
        ("http://224.0.0.1", "local address"),
        ("http://[::1]:9090", "local address"),
        ("http://[::]", "local address"),
        ("http://[fe80::1]", "local address"),
        ("http://[::ffff:127.0.0.1]", "local address"),
        ("http://[::ffff:a9fe:a9fe]", "local address"),
        ("http://[64:ff9b::7f00:1]", "local address"),
        ("http://2130706433", "its host is a number"),
        ("http://127.1", "its host is a number"),
        ("http://0177.0.0.1", "its host is a number"),
        ("http://0x7f000001", "its host is a number"),
        ("http://0x7f.0.0.1:9090", "its host is a number"),
        ("http://127.0.0.1.", "its host is a number"),
    ],
)
def test_what_no_policy_allows(url: str, why: str) -> None:
    found = told(prometheus(url), OPEN)
    assert found.startswith(f"{URL}: ")
    assert why in found
    assert "Helm value" not in found


@pytest.mark.parametrize(
    "address, forbidden",
    [
        ("10.0.0.7", False),
        ("192.168.1.1", False),
        ("100.64.0.1", False),
        ("8.8.8.8", False),
        ("fd00::1", False),
        ("2001:db8::1", False),
        ("::ffff:10.0.0.7", False),
        ("64:ff9b::a00:7", False),
        ("127.0.0.1", True),
        ("127.255.255.254", True),
        ("169.254.169.254", True),
        ("169.254.0.1", True),
        ("0.0.0.0", True),  # noqa: S104 - nothing listens there
        ("0.1.2.3", True),
        ("224.0.0.251", True),
        ("255.255.255.255", True),
        ("::", True),
        ("::1", True),
        ("fe80::1", True),
        ("fe80::1%eth0", True),
        ("ff02::1", True),
        ("::ffff:127.0.0.1", True),
        ("::ffff:169.254.169.254", True),
        ("::127.0.0.1", True),
        ("64:ff9b::169.254.169.254", True),
        ("2002:7f00:1::", True),
        ("no address", True),
        ("", True),
    ],
)
def test_addresses(address: str, forbidden: bool) -> None:
    assert is_forbidden(address) is forbidden


@pytest.mark.parametrize(
    "spec",
    [
        {"jobs": {"storage": {"persistentVolumeClaim": {}}}},
        {"jobs": {"storage": {"persistentVolumeClaim": {}}, "webhooks": {"hosts": ["*.bank.example.com"]}}},
        jobs(region="eu-central-1"),
        jobs(endpoint="https://minio.bank:9000", broker="a.kafka.bank.svc:9092"),
        jobs(region="eu-west-1", placement={"priorityClassName": "batch-low"}),
    ],
)
def test_allowed_jobs(spec: Json) -> None:
    assert told(spec) == ""


@pytest.mark.parametrize(
    "spec, field, why",
    [
        (jobs(region="eu-west-1", broker="a.kafka.shop.svc:9092"), "kafka.bootstrapServers", "policy.kafkaBrokers"),
        (jobs(region="us-east-1"), "storage.s3.endpoint", '"https://s3.us-east-1.amazonaws.com" is not allowed'),
        (jobs(), "storage.s3.endpoint", '"https://s3.us-east-1.amazonaws.com" is not allowed'),
        (jobs(endpoint="https://minio.shop:9000"), "storage.s3.endpoint", "policy.s3Endpoints"),
        (
            {"jobs": {"storage": {"persistentVolumeClaim": {}}, "webhooks": {"hosts": ["*.example.com"]}}},
            "spec.jobs.webhooks.hosts",
            "policy.webhookHosts",
        ),
        (jobs(placement={"priorityClassName": "first"}), "workers.placement.priorityClassName", "batch-*"),
        (jobs(placement={"priorityClassName": "system-node-critical"}), "priorityClassName", "the cluster's own pods"),
    ],
)
def test_jobs_that_are_not_allowed(spec: Json, field: str, why: str) -> None:
    found = told(spec)
    assert field in found
    assert why in found


@pytest.mark.parametrize(
    "spec",
    [
        jobs(broker="localhost:9093"),
        jobs(broker="127.0.0.1:9093"),
        jobs(broker="169.254.169.254:80"),
        jobs(broker="2130706433:9093"),
        jobs(broker="[::1]:9093"),
        jobs(broker="[::ffff:127.0.0.1]:9093"),
        jobs(endpoint="http://169.254.169.254"),
        jobs(endpoint="http://localhost:9000"),
        jobs(endpoint="http://[fe80::1]:9000"),
    ],
    ids=lambda spec: str(spec["jobs"]["kafka"]["bootstrapServers"][1] + str(spec["jobs"]["storage"]["s3"])),
)
def test_no_policy_allows_local_addresses_for_jobs(spec: Json) -> None:
    found = told(spec, OPEN)
    assert "its host is" in found
    assert "Helm value" not in found


@pytest.mark.parametrize(
    "spec",
    [
        backend("http://kokoro.bank.svc:8880/v1"),
        backend("http://kokoro.bank.svc:8880/"),
        backend("http://Kokoro.bank.SVC:8880/v1"),
        backend("https://speech.example.com/v1"),
        backend("https://a.example.net/v1/b"),
        backend("grpc://triton.bank:8001"),
        separate("batch-low"),
        {"backend": {"triton": {"container": {"image": "tritonserver:v1"}}}},
    ],
    ids=str,
)
def test_allowed_backends(spec: Json) -> None:
    assert told(spec) == ""


@pytest.mark.parametrize(
    "url",
    [
        "http://kokoro.shop.svc:8880/v1",
        "https://evil/.example.net/v1",
        "https://kokoro.bank.svc:8880/v1",
        "https://speech.example.com",
        "https://speech.example.com/v1/more",
        "grpc://triton.shop:8001",
        "grpc://kokoro.bank.svc:8880",
        "grpcs://triton.bank:8001",
        "http://triton.bank:8001/v1",
    ],
)
def test_backends_of_others(url: str) -> None:
    found = told(backend(url))
    assert f'.url: "{url}" is not allowed; allowed: http://*.bank.svc:8880/*, grpc://triton.bank:*, ' in found
    assert "Helm value policy.backends, or for this namespace alone policy.namespaces.bank.backends" in found
    assert ".triton." in found if url.startswith("grpc") else ".upstream." in found


def test_the_priority_of_a_separate_backend() -> None:
    assert 'spec.backend.placement.priorityClassName: "first" is not allowed; allowed: batch-*' in told(
        separate("first")
    )
    assert "the cluster's own pods" in told(separate("system-node-critical"))


@pytest.mark.parametrize("url", LOOPBACK_BACKENDS)
def test_no_policy_allows_local_addresses_for_backends(url: str) -> None:
    found = told(backend(url), OPEN)
    assert "its host is" in found
    assert "Helm value" not in found


def test_everything_is_allowed_where_the_policy_says_so() -> None:
    assert told(everything(), OPEN) == ""


def test_all_that_is_not_allowed_is_told_together() -> None:
    found = told({**everything(), "service": {"type": "LoadBalancer"}}, Policy())
    for field in ("spec.service.type", "spec.ingress.tls.issuerRef", URL, "spec.jobs.workers.placement.priorityClass"):
        assert field in found
    values = "policy.serviceTypes and policy.issuers and policy.prometheus and policy.priorityClasses"
    assert f"Helm value {values}, or" in found
