"""The chart's ValidatingAdmissionPolicy on a real API server: it rejects violations and says what is allowed."""

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
from tests.integration.operator.admission_cases import (
    ATTACKS,
    BANK,
    FINE,
    LOOPBACK,
    LOOPBACK_BACKENDS,
    NGINX,
    ODD,
    ODD_ATTACKS,
    OPEN,
    PATIENCE,
    POLICY,
    SHOWN,
    elsewhere,
    ingress,
    pod,
    prometheus,
    upstream,
    volume,
)
from tests.integration.operator.test_install import run
from tests.integration.operator.world import AdminClient, access
from tests.unit.examples.files import EXAMPLES, NAMES
from tts_operator.api import KIND
from tts_operator.json_object import Json
from tts_operator.kube.connection import Connection
from tts_operator.kube.errors import ApiError
from tts_operator.kube.resources import TTSSERVICES


def rendered(helm: Path, values: Path) -> list[Json]:
    """The ValidatingAdmissionPolicy and its binding, from a release for only the test's namespaces."""
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
    """The policy, and TTSServices `old` and `leaving` that violate it because they are older than it."""
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
    """The API server's response to a dry run with this spec."""
    path = TTSSERVICES.path(namespace)
    params = {"dryRun": "All", "fieldValidation": "Strict"}
    return await client._request("POST", path, params=params, body=service(namespace, spec, name=name))


async def refusal(client: AdminClient, namespace: str, spec: Json) -> str:
    """The message of the rejection. Fails if a CEL expression of the policy failed."""
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


@pytest.mark.parametrize("url", LOOPBACK_BACKENDS)
async def test_no_policy_lets_a_pod_ask_itself_or_its_node(client: AdminClient, url: str) -> None:
    assert "write container instead" in await refusal(client, OPEN, elsewhere(url))


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
        upstream(image="evil.example/kokoro"),
        elsewhere("https://evil.example/v1"),
    ],
    ids=str,
)
async def test_a_namespace_has_its_own_rules(client: AdminClient, spec: Json) -> None:
    await apply(client, OPEN, spec)
    await refusal(client, BANK, spec)


@pytest.mark.parametrize("example", EXAMPLES, ids=NAMES)
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
