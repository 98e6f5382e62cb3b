"""The operator's permissions are exactly those that it needs, in both modes."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from devcluster.product import ROOT
from tests.integration.operator.conftest import NAMESPACES
from tests.integration.operator.installing import grant, withdraw
from tests.integration.operator.test_children import ALL
from tests.integration.operator.test_install import run
from tests.integration.operator.world import World, access, until
from tts_operator.app import NamespacedName, Operator
from tts_operator.kube.connection import Access
from tts_operator.kube.resources import (
    CHILDREN,
    CONFIG_MAPS,
    CUSTOM_RESOURCE_DEFINITIONS,
    DEPLOYMENTS,
    DISPENSABLE,
    EVENTS,
    HORIZONTAL_POD_AUTOSCALERS,
    HTTP_ROUTES,
    INGRESSES,
    LEASES,
    NODES,
    PODS,
    SECRETS,
    SERVICES,
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
    rights(SECRETS, "get", "create"),
)


def granted(manifests: list[dict[str, Any]]) -> list[Right]:
    """What is granted to the operator: by the roles that a binding names, and not by those for people."""
    bound = {(body["roleRef"]["kind"], body["roleRef"]["name"]) for body in manifests if "roleRef" in body}
    return [
        (group, resource, verb)
        for body in manifests
        if (body["kind"], body["metadata"]["name"]) in bound
        for rule in body["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    ]


def chart(helm: Path, namespace: str, *values: str) -> list[dict[str, Any]]:
    """The chart for an operator of one namespace."""
    text = run(
        helm, "template", "narrow", ROOT / "charts/tts-operator", "--namespace", namespace, "--kube-version=1.36.0",
        "--set", ",".join((f"watchNamespace={namespace}", "features.dashboards=true", *values)),
    )  # fmt: skip
    return [body for body in yaml.safe_load_all(text) if body]


@pytest.mark.parametrize("mode", ["all namespaces", "one namespace"])
def test_nothing_is_granted_that_is_not_needed(helm: Path, mode: str) -> None:
    everywhere = [body for body in yaml.safe_load_all((ROOT / "install.yaml").read_text()) if body]
    found = granted(everywhere if mode == "all namespaces" else chart(helm, "speech"))
    # Off unless somebody needs it: the right to write ConfigMaps covers those of others.
    off = rights(CONFIG_MAPS, *WRITTEN) if mode == "all namespaces" else set()
    assert set(found) == NEEDED - off
    assert len(found) == len(set(found)), "granted twice"


def test_of_the_whole_cluster_an_operator_of_one_namespace_sees_names_only(helm: Path) -> None:
    wide = [body for body in chart(helm, "speech") if body["kind"].startswith("Cluster")]
    assert set(granted(wide)) == rights(NODES, "list", "watch") | rights(CUSTOM_RESOURCE_DEFINITIONS, "list", "watch")
    narrow = ("admissionPolicy.enabled=false", "crds.install=false")
    others = [body for body in chart(helm, "speech", *narrow) if body not in wide]
    assert {body["metadata"]["namespace"] for body in others} == {"speech"}


def test_nothing_is_granted_cluster_wide_where_that_is_not_wanted(helm: Path) -> None:
    nothing = (
        "clusterReader=false", "aggregatedRoles=false", "admissionPolicy.enabled=false", "crds.install=false",
    )  # fmt: skip
    assert {body["metadata"].get("namespace") for body in chart(helm, "speech", *nothing)} == {"speech"}


@contextmanager
def rights_of(world: World, manifests: list[dict[str, Any]]) -> Iterator[Access]:
    """A user who has the rights that some manifests give the operator."""
    wanted = [body for body in manifests if "Role" in body["kind"]]
    administrator = access(world.product.provider.kubeconfig())
    try:
        grant(world.product, wanted, USER)
        yield dataclasses.replace(administrator, headers={**administrator.headers, "Impersonate-User": USER})
    finally:
        withdraw(world.product, wanted, USER)


@pytest.mark.parametrize("mode", ["all namespaces", "one namespace"])
def test_of_secrets_only_the_operators_own_is_read(helm: Path, mode: str) -> None:
    everywhere = [body for body in yaml.safe_load_all((ROOT / "install.yaml").read_text()) if body]
    manifests = everywhere if mode == "all namespaces" else chart(helm, "speech")
    (release,) = (body["metadata"] for body in manifests if body["kind"] == "Deployment")
    roles = [body for body in manifests if "secrets" in str(body.get("rules"))]
    assert [(body["kind"], body["metadata"]["namespace"]) for body in roles] == [("Role", release["namespace"])]
    assert [rule.get("resourceNames") for rule in roles[0]["rules"] if rule["verbs"] != ["create"]] == [
        [f"{release['name']}-key"]
    ]


@pytest.fixture
def narrow(helm: Path, world: World, request: pytest.FixtureRequest) -> Iterator[Access]:
    """A user who has the rights of an operator of the test's namespace."""
    values: list[str] = getattr(request, "param", [])
    with rights_of(world, chart(helm, world.namespace, *values)) as found:
        yield found


def refused(operator: Operator) -> list[str]:
    """The lines of its metrics that count forbidden requests."""
    page = operator._metrics.page().decode()
    return [line for line in page.splitlines() if 'code="403"' in line or 'code="401"' in line]


@pytest.mark.parametrize("everything", [False, True])
async def test_the_rights_in_one_namespace_suffice(world: World, narrow: Access, everything: bool) -> None:
    lease = NamespacedName(world.namespace, "narrow")
    key = NamespacedName(world.namespace, "narrow-key")
    async with world.operator(namespaced=True, access=narrow, lease=lease, key=key) as operator:
        await world.apply("narrator", ALL if everything else {})
        await world.looked_at("narrator")
        await world.client._request("DELETE", TTSSERVICES.path(world.namespace, "narrator"))
        page = operator._metrics.page().decode()
        assert refused(operator) == []
    for made in ("leases", "secrets"):
        assert f'tts_operator_api_requests_total{{code="201",resource="{made}",verb="POST"}} 1.0' in page


@pytest.mark.parametrize("narrow", [["clusterReader=false"]], indirect=True)
async def test_who_may_not_read_the_nodes_lets_every_pod_run(world: World, narrow: Access) -> None:
    async with world.operator(namespaced=True, access=narrow):
        await world.apply("narrator")
        await world.ready("narrator")
    body = await world.get(TTSSERVICES, "narrator")
    assert body is not None
    assert (body["status"]["zoneSpread"], body["status"]["zones"]) == ("ScheduleAnyway", [])


@pytest.mark.parametrize("narrow", [["clusterReader=false"]], indirect=True)
async def test_rights_in_one_namespace_alone_suffice(
    world: World, narrow: Access, caplog: pytest.LogCaptureFixture
) -> None:
    lease = NamespacedName(world.namespace, "narrow")
    async with world.operator(namespaced=True, access=narrow, lease=lease) as operator:
        await world.apply("narrator", ALL)
        await world.looked_at("narrator")
        page = operator._metrics.page().decode()
        assert await operator._problem() == ""
    for kind in (NODES, CUSTOM_RESOURCE_DEFINITIONS):
        assert f'tts_operator_api_requests_total{{code="403",resource="{kind.plural}",verb="LIST"}} 1.0' in page
        assert f'tts_operator_watch_restarts_total{{resource="{kind.plural}"}} 0.0' in page
        assert len([message for message in caplog.messages if message.startswith(f"{kind.plural}: 403")]) == 1


@pytest.fixture
async def others(world: World) -> AsyncIterator[list[World]]:
    """Two more namespaces."""
    found = [dataclasses.replace(world, namespace=f"{world.namespace}-{number}") for number in (2, 3)]
    for other in found:
        await world.client._request("POST", NAMESPACES.path(), body={"metadata": {"name": other.namespace}})
    yield found
    for other in found:
        await world.client._request("DELETE", NAMESPACES.path(name=other.namespace))


@pytest.mark.parametrize("told_of", [2, 3])
async def test_rights_in_two_of_three_namespaces_suffice_for_both(
    world: World, helm: Path, others: list[World], told_of: int
) -> None:
    """Also where the third is served, too, as far as the operator knows."""
    second, third = others
    served = [world, second]
    manifests = [body for each in served for body in chart(helm, each.namespace, "clusterReader=false")]
    with rights_of(world, manifests) as narrow:
        for each in (world, second, third):
            await each.apply("narrator")
        namespaces = tuple(each.namespace for each in (world, second, third)[:told_of])
        lease = NamespacedName(world.namespace, "narrow")
        async with world.operator(namespaces=namespaces, access=narrow, lease=lease) as operator:
            for each in served:
                await each.ready("narrator")
            for each in served:  # drift is noticed in each, and what is deleted does not come back
                live = await each.get(SERVICES, "narrator")
                assert live is not None
                await each.client.delete(SERVICES, each.namespace, "narrator", uid=live["metadata"]["uid"])
                await until(lambda each=each: _is_there(each), "the Service is made again")  # type: ignore[misc]
            await second.client._request("DELETE", TTSSERVICES.path(second.namespace, "narrator"))
            await until(lambda: _is_gone(second), "its Deployment goes", patience=60)
            await world.settled("narrator")
            untouched = await third.get(TTSSERVICES, "narrator")
            assert untouched is not None
            assert untouched["status"] == {"observedGeneration": -1}
            assert await third.get(DEPLOYMENTS, "narrator") is None
            if told_of < len((world, *others)):
                # Nodes and CRDs, which belong to no namespace, are asked for once, and can be done without.
                assert {line.split('resource="')[1].split('"')[0] for line in refused(operator)} == {
                    NODES.plural,
                    CUSTOM_RESOURCE_DEFINITIONS.plural,
                }
            assert await operator._problem() == ""
            assert operator._waiting_for() == ""


async def _is_there(world: World) -> bool:
    return await world.get(SERVICES, "narrator") is not None


async def _is_gone(world: World) -> bool:
    return await world.get(DEPLOYMENTS, "narrator") is None


def without(manifests: list[dict[str, Any]], kinds: frozenset[Resource]) -> list[dict[str, Any]]:
    """The same without any right to some kinds."""
    gone = {(kind.group, kind.plural) for kind in kinds}
    for body in manifests:
        for rule in body.get("rules", ()):
            (group,) = rule["apiGroups"]
            rule["resources"] = [each for each in rule["resources"] if (group, each) not in gone]
        if "rules" in body:
            body["rules"] = [rule for rule in body["rules"] if rule["resources"]]
    return manifests


@pytest.mark.parametrize(
    "kinds", [DISPENSABLE, frozenset({INGRESSES}), frozenset({HORIZONTAL_POD_AUTOSCALERS, HTTP_ROUTES})], ids=len
)
async def test_what_the_operator_does_without_needs_no_right(
    world: World, helm: Path, kinds: frozenset[Resource]
) -> None:
    lease = NamespacedName(world.namespace, "narrow")
    manifests = without(chart(helm, world.namespace), kinds)
    with rights_of(world, manifests) as narrow:
        async with world.operator(namespaced=True, access=narrow, lease=lease, without=kinds) as operator:
            await world.apply("narrator", ALL)
            await world.looked_at("narrator")
            stalled = await world.condition("narrator", "Stalled")
            assert stalled["reason"] == "FeatureDisabled"
            assert "features." in stalled["message"]
            for kind in CHILDREN:
                made = await world.children("narrator", kind)
                assert bool(made) is (kind not in kinds), kind.kind
            await world.apply("plain")
            await world.ready("plain")
            await world.looked_at("plain")
            assert refused(operator) == []
