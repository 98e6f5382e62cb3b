"""What the operator may do is what it does: no less, in either mode, and no more."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from devcluster.product import ROOT
from tests.integration.operator.test_children import EVERYTHING
from tests.integration.operator.test_install import run
from tests.integration.operator.world import World, access
from tts_operator.app import LeaseName
from tts_operator.kube.connection import Access
from tts_operator.kube.resources import (
    CHILDREN,
    CUSTOM_RESOURCE_DEFINITIONS,
    EVENTS,
    LEASES,
    NODES,
    PODS,
    TTSSERVICES,
    Resource,
)

Right = tuple[str, str, str]
"""Group, resource, verb."""
USER = "tts-operator-of-one-namespace"
WRITTEN = ("get", "list", "watch", "create", "patch", "update", "delete")
"""What is done to children: read back where an apply is refused, watched, applied (patch; create where they are not
there yet), replaced where an apply cannot repair them, pruned."""


def rights(resource: Resource, *verbs: str, sub: str = "") -> set[Right]:
    return {(resource.group, resource.plural + sub, verb) for verb in verbs}


NEEDED: set[Right] = set().union(
    rights(TTSSERVICES, "get", "list", "watch"),
    rights(TTSSERVICES, "patch", sub="/status"),
    rights(TTSSERVICES, "update", sub="/finalizers"),  # clusters that check who may block an owner's deletion
    *(rights(kind, *WRITTEN) for kind in CHILDREN),
    rights(PODS, "list", "watch"),
    rights(PODS, "patch", sub="/status"),
    rights(NODES, "list", "watch"),
    rights(CUSTOM_RESOURCE_DEFINITIONS, "list", "watch"),
    rights(EVENTS, "create"),
    rights(LEASES, "get", "create", "update"),
)


def granted(manifests: list[dict[str, Any]]) -> list[Right]:
    return [
        (group, resource, verb)
        for body in manifests
        if body["kind"] in {"Role", "ClusterRole"}
        for rule in body["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    ]


def chart(helm: Path, namespace: str, *values: str) -> list[dict[str, Any]]:
    """The chart for an operator of one namespace."""
    text = run(
        helm, "template", "narrow", ROOT / "charts/tts-operator", "--namespace", namespace, "--kube-version=1.36.0",
        "--set", ",".join((f"watchNamespace={namespace}", *values)),
    )  # fmt: skip
    return [body for body in yaml.safe_load_all(text) if body]


@pytest.mark.parametrize("mode", ["all namespaces", "one namespace"])
def test_nothing_is_granted_that_is_not_needed(helm: Path, mode: str) -> None:
    everywhere = [body for body in yaml.safe_load_all((ROOT / "install.yaml").read_text()) if body]
    found = granted(everywhere if mode == "all namespaces" else chart(helm, "speech"))
    assert set(found) == NEEDED
    assert len(found) == len(set(found)), "granted twice"


def test_of_the_whole_cluster_an_operator_of_one_namespace_sees_names_only(helm: Path) -> None:
    wide = [body for body in chart(helm, "speech") if body["kind"] == "ClusterRole"]
    assert set(granted(wide)) == rights(NODES, "list", "watch") | rights(CUSTOM_RESOURCE_DEFINITIONS, "list", "watch")
    assert {body["metadata"]["namespace"] for body in chart(helm, "speech") if "Cluster" not in body["kind"]} == {
        "speech"
    }


def test_nothing_is_granted_cluster_wide_where_that_is_not_wanted(helm: Path) -> None:
    assert not [body for body in chart(helm, "speech", "clusterReader=false") if body["kind"].startswith("Cluster")]


@pytest.fixture
def narrow(helm: Path, world: World, request: pytest.FixtureRequest) -> Iterator[Access]:
    """A user who has the rights of an operator of the test's namespace."""
    values: list[str] = getattr(request, "param", [])
    manifests = [body for body in chart(helm, world.namespace, *values) if "Role" in body["kind"]]
    for body in manifests:
        if body["kind"].endswith("Binding"):
            body["subjects"] = [{"kind": "User", "name": USER, "apiGroup": "rbac.authorization.k8s.io"}]
    text = yaml.safe_dump_all(manifests)
    world.product.kubectl("apply", "-f", "-", stdin=text)
    administrator = access(world.product.provider.kubeconfig())
    yield dataclasses.replace(administrator, headers={**administrator.headers, "Impersonate-User": USER})
    world.product.kubectl("delete", "-f", "-", "--ignore-not-found", stdin=text)


@pytest.mark.parametrize("everything", [False, True])
async def test_the_rights_in_one_namespace_suffice(world: World, narrow: Access, everything: bool) -> None:
    lease = LeaseName(world.namespace, "narrow")
    async with world.operator(namespaced=True, access=narrow, lease=lease) as operator:
        await world.apply("narrator", EVERYTHING if everything else {})
        await world.looked_at("narrator")
        await world.client._request("DELETE", TTSSERVICES.path(world.namespace, "narrator"))
        page = operator._metrics.page().decode()
    refused = [line for line in page.splitlines() if 'code="403"' in line or 'code="401"' in line]
    assert refused == []
    assert 'tts_operator_api_requests_total{code="201",resource="leases",verb="POST"} 1.0' in page


@pytest.mark.parametrize("narrow", [["clusterReader=false"]], indirect=True)
async def test_rights_in_one_namespace_alone_suffice(
    world: World, narrow: Access, caplog: pytest.LogCaptureFixture
) -> None:
    lease = LeaseName(world.namespace, "narrow")
    async with world.operator(namespaced=True, access=narrow, lease=lease) as operator:
        await world.apply("narrator", EVERYTHING)
        await world.looked_at("narrator")
        page = operator._metrics.page().decode()
        assert await operator._problem() == ""
    for kind in (NODES, CUSTOM_RESOURCE_DEFINITIONS):
        assert f'tts_operator_api_requests_total{{code="403",resource="{kind.plural}",verb="LIST"}} 1.0' in page
        assert f'tts_operator_watch_restarts_total{{resource="{kind.plural}"}} 0.0' in page
        assert len([message for message in caplog.messages if message.startswith(f"{kind.plural}: 403")]) == 1
