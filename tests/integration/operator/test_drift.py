"""Deleted and edited children are restored; fields that are not ours stay as others set them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from tests.integration.operator.world import World, until
from tts_operator.kube.resources import (
    DEPLOYMENTS,
    PERSISTENT_VOLUME_CLAIMS,
    POD_DISRUPTION_BUDGETS,
    SERVICE_ACCOUNTS,
    SERVICES,
    Resource,
)

SERVER_CONTAINER = {"name": "server"}


@dataclass(frozen=True)
class Edit:
    """A merge patch to a child by another client."""

    resource: Resource
    what: str
    patch: dict[str, Any]
    strategic: bool = False


def _pod(**server: Any) -> dict[str, Any]:
    return {"spec": {"template": {"spec": {"containers": [SERVER_CONTAINER | server]}}}}


EDITS = [
    Edit(SERVICE_ACCOUNTS, "token mounted", {"automountServiceAccountToken": True}),
    Edit(SERVICE_ACCOUNTS, "label changed", {"metadata": {"labels": {"app.kubernetes.io/instance": "other"}}}),
    Edit(SERVICE_ACCOUNTS, "managed-by removed", {"metadata": {"labels": {"app.kubernetes.io/managed-by": None}}}),
    Edit(SERVICES, "port renumbered", {"spec": {"ports": [{"name": "http", "port": 81, "targetPort": "http"}]}}),
    Edit(SERVICES, "target port", {"spec": {"ports": [{"name": "http", "port": 80, "targetPort": 9999}]}}),
    Edit(SERVICES, "selector", {"spec": {"selector": {"app.kubernetes.io/name": "other"}}}),
    Edit(SERVICES, "type", {"spec": {"type": "NodePort"}}),
    Edit(SERVICES, "owner removed", {"metadata": {"ownerReferences": None}}),
    Edit(POD_DISRUPTION_BUDGETS, "budget", {"spec": {"maxUnavailable": 0}}),
    Edit(POD_DISRUPTION_BUDGETS, "other budget", {"spec": {"maxUnavailable": None, "minAvailable": 3}}),
    Edit(POD_DISRUPTION_BUDGETS, "labels removed", {"metadata": {"labels": None}}),
    Edit(DEPLOYMENTS, "replicas", {"spec": {"replicas": 1}}),
    Edit(DEPLOYMENTS, "image", _pod(image="evil:1"), strategic=True),
    Edit(DEPLOYMENTS, "environment", _pod(env=[{"name": "TTS_ENGINE", "value": "x"}]), strategic=True),
    Edit(DEPLOYMENTS, "variable removed", _pod(env=[{"name": "TTS_ENGINE", "$patch": "delete"}]), strategic=True),
    Edit(DEPLOYMENTS, "probe", _pod(livenessProbe={"periodSeconds": 1}), strategic=True),
    Edit(DEPLOYMENTS, "memory", _pod(resources={"limits": {"memory": "5Gi"}}), strategic=True),
    Edit(DEPLOYMENTS, "tolerations", {"spec": {"template": {"spec": {"tolerations": []}}}}),
    Edit(DEPLOYMENTS, "node selector", {"spec": {"template": {"spec": {"serviceAccountName": "default"}}}}),
    Edit(DEPLOYMENTS, "spread", {"spec": {"template": {"spec": {"topologySpreadConstraints": None}}}}),
    Edit(DEPLOYMENTS, "everything removed", {"metadata": {"labels": None, "ownerReferences": None}}),
]


@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: f"{edit.resource.kind}-{edit.what}".replace(" ", "-"))
async def test_an_edited_child_is_as_it_was(world: World, edit: Edit) -> None:
    async with world.operator():
        await world.apply("narrator")
        await world.settled("narrator")
        before = await world.get(edit.resource, "narrator")
        assert before is not None
        change = world.client.strategic if edit.strategic else world.client.merge
        after = await change(edit.resource, world.namespace, "narrator", edit.patch)
        assert _essence(after) != _essence(before), "the edit changed nothing"

        async def healed() -> bool:
            now = await world.get(edit.resource, "narrator")
            return now is not None and _essence(now) == _essence(before)

        await until(healed, f"{edit.resource.kind} is as it was")


async def test_the_traffic_distribution_is_set_healed_and_removed(world: World) -> None:
    """We own this field of the Service only if the spec sets it."""

    async def distribution() -> Any:
        found = await world.get(SERVICES, "narrator")
        return found and found["spec"].get("trafficDistribution")

    async def comes_to(wanted: str | None) -> None:
        async def so() -> bool:
            return bool(await distribution() == wanted)

        await until(so, f"the Service's trafficDistribution is {wanted}")

    async with world.operator():
        await world.apply("narrator", {"service": {"trafficDistribution": "PreferSameZone"}})
        await world.settled("narrator")
        assert await distribution() == "PreferSameZone"
        for edit in ("PreferSameNode", None):
            patch = {"spec": {"trafficDistribution": edit}}
            after = await world.client.merge(SERVICES, world.namespace, "narrator", patch)
            assert after["spec"].get("trafficDistribution") == edit
            await comes_to("PreferSameZone")
        await world.apply("narrator", {"service": {"trafficDistribution": "PreferSameNode"}})
        await comes_to("PreferSameNode")
        await world.apply("narrator")
        await comes_to(None)
        await world.client.merge(
            SERVICES, world.namespace, "narrator", {"spec": {"trafficDistribution": "PreferClose"}}
        )
        await world.settled("narrator")
        assert await distribution() == "PreferClose", "what the spec does not say is left to others"


async def test_the_workers_of_jobs_are_restored_and_removed(world: World) -> None:
    """Deleted, edited, and no longer asked for, together with the volume."""
    jobs = {"storage": {"persistentVolumeClaim": {}}, "kafka": {"bootstrapServers": ["kafka:9092"]}}
    names = [
        (DEPLOYMENTS, "narrator-worker"),
        (POD_DISRUPTION_BUDGETS, "narrator-worker"),
        (PERSISTENT_VOLUME_CLAIMS, "narrator-jobs"),
    ]

    async def there(*, wanted: bool) -> bool:
        return all([(await world.get(*each) is not None) is wanted for each in names])

    async def replicas() -> Any:
        found = await world.get(DEPLOYMENTS, "narrator-worker")
        return found and found["spec"]["replicas"]

    async def as_asked() -> bool:
        return bool(await replicas() == 2)

    async with world.operator():
        await world.apply("narrator", {"jobs": jobs})
        await world.looked_at("narrator")  # never ready: nothing here provides volumes
        assert await there(wanted=True)
        await world.client.merge(DEPLOYMENTS, world.namespace, "narrator-worker", {"spec": {"replicas": 9}})
        await until(as_asked, "there are as many workers as the spec says")
        live = await world.get(DEPLOYMENTS, "narrator-worker")
        assert live is not None
        uid = live["metadata"]["uid"]
        await world.client.delete(DEPLOYMENTS, world.namespace, "narrator-worker", uid=uid)
        await until(as_asked, "the workers are back")
        await world.apply("narrator")
        await until(lambda: there(wanted=False), "nothing is left of the jobs", patience=60)
        await world.settled("narrator")


async def test_what_is_not_ours_stays(world: World) -> None:
    """Foreign labels, annotations, a sidecar, a second port, and a rollout restart survive a repair of our fields."""
    async with world.operator():
        await world.apply("narrator")
        await world.settled("narrator")
        sidecar = {"name": "mesh", "image": "mesh:1"}
        restarted = {"kubectl.kubernetes.io/restartedAt": "2026-01-01T00:00:00Z"}
        await world.client.strategic(
            DEPLOYMENTS,
            world.namespace,
            "narrator",
            {
                "metadata": {"labels": {"team": "speech"}, "annotations": {"example.com/mine": "1"}},
                "spec": {
                    "replicas": 9,
                    "template": {"metadata": {"annotations": restarted}, "spec": {"containers": [sidecar]}},
                },
            },
        )
        await world.client.strategic(
            SERVICES,
            world.namespace,
            "narrator",
            {
                "metadata": {"annotations": {"example.com/mine": "1"}},
                "spec": {"ports": [{"name": "extra", "port": 9090}], "type": "NodePort"},
            },
        )

        async def healed() -> bool:
            deployment = await world.get(DEPLOYMENTS, "narrator")
            service = await world.get(SERVICES, "narrator")
            assert deployment is not None
            assert service is not None
            return bool(deployment["spec"]["replicas"] == 3 and service["spec"]["type"] == "ClusterIP")

        await until(healed, "our fields are repaired")
        deployment = await world.get(DEPLOYMENTS, "narrator")
        service = await world.get(SERVICES, "narrator")
    assert deployment is not None
    assert service is not None
    assert deployment["metadata"]["labels"]["team"] == "speech"
    assert deployment["metadata"]["annotations"]["example.com/mine"] == "1"
    assert deployment["spec"]["template"]["metadata"]["annotations"] == restarted
    assert {c["name"] for c in deployment["spec"]["template"]["spec"]["containers"]} == {"server", "mesh"}
    assert service["metadata"]["annotations"]["example.com/mine"] == "1"
    assert {port["name"] for port in service["spec"]["ports"]} == {"http", "extra"}


def _essence(body: dict[str, Any]) -> dict[str, Any]:
    """An object without the fields that every write changes."""
    changing = {"resourceVersion", "generation", "managedFields", "annotations"}
    metadata = {name: value for name, value in body["metadata"].items() if name not in changing}
    annotations = dict(body["metadata"].get("annotations", {}))
    annotations.pop("deployment.kubernetes.io/revision", None)  # counts the templates that there have been
    metadata["annotations"] = annotations
    return {**{name: value for name, value in body.items() if name != "status"}, "metadata": metadata}
