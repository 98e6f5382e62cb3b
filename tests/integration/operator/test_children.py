"""Every kind of child on a real API server: created, changed, fields removed, and drift repaired."""

from __future__ import annotations

import copy
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

import pytest

from tests.integration.operator.world import World, until
from tts_operator.json_object import Json
from tts_operator.kube.resources import (
    CERTIFICATES,
    CHILDREN,
    CONFIG_MAPS,
    CONTROLLER_REVISIONS,
    DEPLOYMENTS,
    HORIZONTAL_POD_AUTOSCALERS,
    HTTP_ROUTES,
    INGRESSES,
    NETWORK_POLICIES,
    PERSISTENT_VOLUME_CLAIMS,
    POD_DISRUPTION_BUDGETS,
    POD_MONITORS,
    PROMETHEUS_RULES,
    SCALED_OBJECTS,
    SERVICE_ACCOUNTS,
    SERVICES,
    Resource,
)

NAME = "narrator"
WORKER = "narrator-worker"
GIVEN = ("clusterIP", "clusterIPs", "volumeName")
"""Fields of a spec that an object is given when it is made."""
EVERYTHING: Json = {
    "model": {
        "engine": "modelscope",
        "name": "damo/speech",
        "revision": "v1.0.1",
        "storage": {"persistentVolumeClaim": {"size": "1Gi", "storageClassName": "shared"}},
    },
    "autoscaling": {"minReplicas": 2, "behavior": {"scaleDown": {"stabilizationWindowSeconds": 60}}},
    "service": {"annotations": {"example.com/a": "1"}},
    "server": {"auth": {"apiKeysSecretRef": {"name": "keys", "key": "keys"}}},
    "placement": {"nodeSelector": {"disk": "fast"}},
    "ingress": {
        "className": "nginx",
        "host": "speech.example.com",
        "annotations": {"example.com/a": "1"},
        "tls": {"issuerRef": {"name": "letsencrypt", "kind": "ClusterIssuer"}},
    },
    "gateway": {"parentRefs": [{"name": "public"}], "hostnames": ["speech.example.com"]},
    "disruption": {"minAvailable": 1},
    "networkPolicy": {"enabled": True, "ingressFrom": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]},
    "monitoring": {
        "podMonitor": {"enabled": True, "labels": {"release": "prometheus"}},
        "prometheusRule": {"enabled": True, "labels": {"release": "prometheus"}},
        "dashboard": {"enabled": True, "folder": "Speech"},
    },
}
"""A child of every kind but one."""
JOBS: Json = {
    "storage": {"s3": {"bucket": "books", "credentialsSecretRef": {"name": "books"}}},
    "kafka": {"bootstrapServers": ["kafka:9092"]},
    "workers": {"autoscaling": {"minReplicas": 0, "maxReplicas": 5}},
}
ALL: Json = {**EVERYTHING, "jobs": JOBS}
"""A child of every kind, and some of workers beside them."""


ALWAYS = {SERVICE_ACCOUNTS, CONTROLLER_REVISIONS, SERVICES, POD_DISRUPTION_BUDGETS, DEPLOYMENTS}
"""What every service has."""


@dataclass(frozen=True)
class Kind:
    """Changes to the children of one kind, through the spec and by other clients."""

    resource: Resource
    edit: Json
    """A merge patch that somebody makes to it."""
    change: Callable[[Json], object] | None = None
    """A change of the spec,"""
    changed: Callable[[Json], bool] = lambda _: True
    """what is then true of the child,"""
    remove: Callable[[Json], object] | None = None
    """a field that is taken out of the spec,"""
    removed: Callable[[Json], bool] = lambda _: True
    """and what is then true."""


def _env(body: Json) -> set[str]:
    return {each["name"] for each in body["spec"]["template"]["spec"]["containers"][0]["env"]}


KINDS = [
    Kind(SERVICE_ACCOUNTS, {"automountServiceAccountToken": True}),
    Kind(
        CONTROLLER_REVISIONS,
        {"metadata": {"labels": {"app.kubernetes.io/part-of": "x"}}},
        lambda spec: spec["server"].update(logLevel="debug"),
        lambda body: body["data"]["inputs"]["server"]["logLevel"] == "debug",
        lambda spec: spec.pop("server"),
        lambda body: "auth" not in body["data"]["inputs"]["server"],
    ),
    Kind(
        PERSISTENT_VOLUME_CLAIMS,
        {"metadata": {"labels": {"app.kubernetes.io/part-of": "x"}}},
    ),
    Kind(
        SERVICES,
        {"spec": {"selector": {"app.kubernetes.io/name": "other"}}},
        lambda spec: spec["service"].update(port=8080),
        lambda body: body["spec"]["ports"][0]["port"] == 8080,
        lambda spec: spec["service"].pop("annotations"),
        lambda body: not body["metadata"].get("annotations"),
    ),
    Kind(
        POD_DISRUPTION_BUDGETS,
        {"spec": {"minAvailable": 2}},
        lambda spec: spec.update(disruption={"maxUnavailable": 2}),
        lambda body: body["spec"].get("maxUnavailable") == 2 and "minAvailable" not in body["spec"],
        lambda spec: spec.pop("disruption"),
        lambda body: body["spec"].get("maxUnavailable") == 1,
    ),
    Kind(
        DEPLOYMENTS,
        {"spec": {"template": {"spec": {"nodeSelector": {"disk": "slow"}}}}},
        lambda spec: spec["server"].update(maxInputCharacters=900),
        lambda body: (
            {"name": "TTS_MAX_INPUT_CHARACTERS", "value": "900"}
            in body["spec"]["template"]["spec"]["containers"][0]["env"]
        ),
        lambda spec: (spec["server"].pop("auth"), spec.pop("placement")),
        lambda body: "TTS_API_KEYS" not in _env(body) and "nodeSelector" not in body["spec"]["template"]["spec"],
    ),
    Kind(
        HORIZONTAL_POD_AUTOSCALERS,
        {"spec": {"maxReplicas": 99}},
        lambda spec: spec["autoscaling"].update(maxReplicas=20, targetCPUUtilizationPercentage=50),
        lambda body: (
            body["spec"]["maxReplicas"] == 20
            and body["spec"]["metrics"][0]["resource"]["target"]["averageUtilization"] == 50
        ),
        lambda spec: spec["autoscaling"].pop("behavior"),
        lambda body: body["spec"].get("behavior", {}).get("scaleDown", {}).get("stabilizationWindowSeconds") != 60,
    ),
    Kind(
        NETWORK_POLICIES,
        {"spec": {"ingress": []}},
        lambda spec: spec["networkPolicy"].update(ingressFrom=[{"podSelector": {}}]),
        lambda body: body["spec"]["ingress"][0].get("from") == [{"podSelector": {}}],
        lambda spec: spec["networkPolicy"].pop("ingressFrom"),
        lambda body: "from" not in body["spec"]["ingress"][0],
    ),
    Kind(
        INGRESSES,
        {"spec": {"ingressClassName": "other"}},
        lambda spec: spec["ingress"].update(host="voice.example.com"),
        lambda body: (
            body["spec"]["rules"][0]["host"] == "voice.example.com"
            and body["spec"]["tls"] == [{"hosts": ["voice.example.com"], "secretName": "narrator-tls"}]
        ),
        lambda spec: (spec["ingress"].pop("annotations"), spec["ingress"].pop("className")),
        lambda body: not body["metadata"].get("annotations") and "ingressClassName" not in body["spec"],
    ),
    Kind(
        CERTIFICATES,
        {"spec": {"dnsNames": ["evil.example.com"]}},
        lambda spec: spec["ingress"].update(host="voice.example.com"),
        lambda body: body["spec"]["dnsNames"] == ["voice.example.com"],
    ),
    Kind(
        HTTP_ROUTES,
        {"spec": {"hostnames": ["evil.example.com"]}},
        lambda spec: spec["gateway"].update(parentRefs=[{"name": "private", "namespace": "gateways"}]),
        lambda body: (
            [(each["name"], each.get("namespace")) for each in body["spec"]["parentRefs"]] == [("private", "gateways")]
        ),
        lambda spec: spec["gateway"].pop("hostnames"),
        lambda body: not body["spec"].get("hostnames"),
    ),
    Kind(
        POD_MONITORS,
        {"spec": {"podMetricsEndpoints": []}},
        lambda spec: spec["monitoring"]["podMonitor"].update(intervalSeconds=10),
        lambda body: body["spec"]["podMetricsEndpoints"][0]["interval"] == "10s",
        lambda spec: spec["monitoring"]["podMonitor"].pop("labels"),
        lambda body: "release" not in body["metadata"]["labels"],
    ),
    Kind(
        PROMETHEUS_RULES,
        {"spec": {"groups": []}},
        lambda spec: spec["monitoring"]["prometheusRule"].update(labels={"team": "speech"}),
        lambda body: body["metadata"]["labels"].get("team") == "speech",
        lambda spec: spec["monitoring"]["prometheusRule"].pop("labels"),
        lambda body: "release" not in body["metadata"]["labels"],
    ),
    Kind(
        SCALED_OBJECTS,
        {"spec": {"triggers": [{"type": "cpu", "metadata": {"value": "50"}}]}},
        lambda spec: spec["jobs"]["workers"]["autoscaling"].update(targetWaitingSeconds=60),
        lambda body: body["spec"]["triggers"][0]["metadata"]["targetValue"] == "60",
        lambda spec: spec["jobs"]["workers"]["autoscaling"].pop("maxReplicas"),
        lambda body: body["spec"]["maxReplicaCount"] == 10,
    ),
    Kind(
        CONFIG_MAPS,
        {"metadata": {"labels": {"grafana_dashboard": "0"}}},
        lambda spec: spec["monitoring"]["dashboard"].update(labels={"dashboards": "speech"}),
        lambda body: (
            body["metadata"]["labels"].get("dashboards") == "speech"
            and "grafana_dashboard" not in body["metadata"]["labels"]
        ),
        lambda spec: spec["monitoring"]["dashboard"].pop("folder"),
        lambda body: not body["metadata"].get("annotations"),
    ),
]


def test_every_kind_is_in_the_table() -> None:
    assert [kind.resource for kind in KINDS] == list(CHILDREN)


@pytest.fixture
async def served(world: World) -> AsyncIterator[World]:
    """A service with a child of every kind."""
    async with world.operator():
        await world.apply(NAME, ALL)
        await world.looked_at(NAME)
        yield world


async def newest(world: World, resource: Resource) -> Json:
    """The child, unless there is no other, not that of workers; for ControllerRevisions, the newest one."""

    def rank(body: Json) -> tuple[bool, int]:
        return body["metadata"]["name"] != WORKER, body.get("revision", 0)

    found = sorted(await world.children(NAME, resource), key=rank)
    assert found, f"there is no {resource.kind}"
    return found[-1]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.resource.kind)
async def test_it_follows_the_spec(served: World, kind: Kind) -> None:
    for change, fits in ((kind.change, kind.changed), (kind.remove, kind.removed)):
        spec = copy.deepcopy(ALL)
        if change is None:
            continue
        change(spec)
        await served.apply(NAME, spec)

        async def is_so(fits: Callable[[Json], bool] = fits) -> bool:
            return fits(await newest(served, kind.resource))

        await until(is_so, f"the {kind.resource.kind} is as the spec says")


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.resource.kind)
async def test_it_outlives_what_others_do_to_it(served: World, kind: Kind) -> None:
    """An edit is reverted, a foreign label is kept, and a deleted child is created again."""
    before = await newest(served, kind.resource)
    name, label = before["metadata"]["name"], {"metadata": {"labels": {"example.com/theirs": "1"}}}
    await served.client.merge(kind.resource, served.namespace, name, label)
    after = await served.client.merge(kind.resource, served.namespace, name, kind.edit)
    assert _content(after) != _content(before), "the edit changed nothing"

    async def healed() -> bool:
        return _content(await newest(served, kind.resource)) == _content(before)

    await until(healed, f"the {kind.resource.kind} is as it was")
    assert (await newest(served, kind.resource))["metadata"]["labels"]["example.com/theirs"] == "1"

    await served.client._request("DELETE", kind.resource.path(served.namespace, name))
    if kind.resource is PERSISTENT_VOLUME_CLAIMS:  # as long as pods use it, it stays, and no other can be made
        for each in (NAME, WORKER):
            await served.client._request("DELETE", DEPLOYMENTS.path(served.namespace, each))

    async def back() -> bool:
        found = await served.children(NAME, kind.resource)
        uids = {body["metadata"]["uid"] for body in found if body["metadata"]["name"] == name}
        return bool(uids) and before["metadata"]["uid"] not in uids

    await until(back, f"the {kind.resource.kind} is back")
    assert _content(await newest(served, kind.resource)) == _content(before)


async def test_what_nobody_asks_for_goes(served: World) -> None:
    optional = [kind.resource for kind in KINDS if kind.resource not in ALWAYS]
    for resource in optional:
        assert await served.children(NAME, resource)
    await served.apply(NAME, {})

    async def gone() -> bool:
        return not any([await served.children(NAME, resource) for resource in optional])

    await until(gone, "all that nobody asks for is gone", patience=60)
    assert len(await served.children(NAME, CONTROLLER_REVISIONS)) == 2, "what has been is remembered"


async def test_all_are_owned_and_nothing_is_asked_at_rest(served: World) -> None:
    for resource in CHILDREN:
        for body in await served.children(NAME, resource):
            (owner,) = body["metadata"]["ownerReferences"]
            assert owner["controller"], resource
    await served.at_rest(NAME)
    mark = served.audit_mark()
    await served.looked_at(NAME)
    assert [f"{event['verb']} {event['requestURI']}" for event in served.requests(mark)] == []


def _content(body: Json) -> Json:
    """An object without the metadata of its creation and writes, and without others' fields."""
    metadata = body["metadata"]
    labels = {key: value for key, value in metadata["labels"].items() if key != "example.com/theirs"}
    spec = copy.deepcopy({key: value for key, value in body.get("spec", {}).items() if key not in GIVEN})
    rest = {key: value for key, value in body.items() if key not in ("metadata", "spec", "status")}
    return {**rest, "labels": labels, "owners": metadata["ownerReferences"], "spec": spec}
