"""Autoscalers of workers: that of KEDA, whose part the tests play, the cluster's own, and from one to the other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from devcluster.addons import crds
from tests.integration.operator.installing import serve
from tests.integration.operator.test_handover import replicas_seen
from tests.integration.operator.world import World, until
from tts_operator.json_object import Json
from tts_operator.kube.resources import DEPLOYMENTS, HORIZONTAL_POD_AUTOSCALERS, SCALED_OBJECTS

NAME = "narrator"
WORKER = "narrator-worker"
TO_ZERO: Json = {"autoscaling": {"minReplicas": 0, "maxReplicas": 6}}


def jobs(**workers: object) -> Json:
    storage = {"s3": {"bucket": "books", "credentialsSecretRef": {"name": "books"}}}
    return {"jobs": {"storage": storage, "kafka": {"bootstrapServers": ["kafka:9092"]}, "workers": workers}}


@contextmanager
def without_keda(world: World) -> Iterator[None]:
    """KEDA's CRD is not installed; in the end, it is."""
    (definition,) = crds.definitions(world.product.progress, [SCALED_OBJECTS.crd])
    world.product.kubectl("delete", "crd", SCALED_OBJECTS.crd, "--wait=true", timeout=60)
    try:
        yield
    finally:
        serve(world.product, [definition])


async def scale(world: World, count: int) -> None:
    """Write the number of workers as KEDA and the cluster's autoscaler do."""
    await world.client._request(
        "PATCH",
        DEPLOYMENTS.path(world.namespace, WORKER, "scale"),
        params={"fieldManager": "keda"},
        body={"spec": {"replicas": count}},
        content_type="application/merge-patch+json",
    )


async def workers(world: World) -> int | None:
    body = await world.get(DEPLOYMENTS, WORKER)
    return None if body is None else int(body["spec"]["replicas"])


async def are(world: World, count: int) -> None:
    async def so() -> bool:
        return await workers(world) == count

    await until(so, f"there are {count} workers", patience=60)


async def has_autoscaler(world: World, *, by_keda: bool) -> None:
    """Wait until this is the only autoscaler of the workers."""

    async def so() -> bool:
        found = [await world.get(kind, WORKER) is not None for kind in (SCALED_OBJECTS, HORIZONTAL_POD_AUTOSCALERS)]
        return found == [by_keda, not by_keda]

    await until(so, f"the workers are scaled by {'KEDA' if by_keda else 'CPU'}")


async def keda_says(world: World, status: str, reason: str) -> None:
    """Report on the ScaledObject as KEDA does."""
    condition = {"type": "Ready", "status": status, "reason": reason, "message": ""}
    await world.client._request(
        "PATCH",
        SCALED_OBJECTS.path(world.namespace, WORKER, "status"),
        body={"status": {"conditions": [condition]}},
        content_type="application/merge-patch+json",
    )

    async def told() -> bool:
        found = await world.condition(NAME, "AutoscalingReady")
        return found.get("status") == status

    await until(told, f"AutoscalingReady is {status}")


async def test_to_zero_and_back_and_to_a_number_again(world: World) -> None:
    async with world.operator():
        await world.apply(NAME, jobs(**TO_ZERO))
        await world.settled(NAME)
        assert await workers(world) == 1, "it finds out whether jobs can be spoken"
        async with replicas_seen(world, WORKER) as seen:
            for number, count in enumerate((0, 1, 5, 0)):
                await scale(world, count)
                placed = {"placement": {"nodeSelector": {"round": str(number)}}}
                await world.apply(NAME, jobs(**TO_ZERO, **placed))
                await world.looked_at(NAME)
                assert await workers(world) == count, "it is left to KEDA"
        assert set(seen) <= {0, 1, 5}

        async def to_zero() -> bool:
            return (await world.condition(NAME, "JobsReady")).get("reason") == "ScaledToZero"

        await until(to_zero, "JobsReady says ScaledToZero")
        await world.apply(NAME, jobs(replicas=3))
        await are(world, 3)
        await world.settled(NAME)
        assert await world.get(SCALED_OBJECTS, WORKER) is None
        await scale(world, 1)
        await are(world, 3)


async def test_what_keda_says_is_told(world: World) -> None:
    async with world.operator():
        await world.apply(NAME, jobs(**TO_ZERO))
        await world.settled(NAME)
        assert (await world.condition(NAME, "AutoscalingReady"))["status"] == "Unknown"
        await keda_says(world, "False", "TriggerError")
        assert "networkPolicy.ingressFrom" in (await world.condition(NAME, "AutoscalingReady"))["message"]
        await keda_says(world, "True", "ScaledObjectReady")
        await world.settled(NAME)


async def test_from_cpu_to_keda_and_back(world: World) -> None:
    async with world.operator() as operator:
        with without_keda(world):

            async def forgotten() -> bool:
                return not operator._caches.served(SCALED_OBJECTS)

            await until(forgotten, "the operator knows that KEDA is not installed")
            await world.apply(NAME, jobs(**TO_ZERO))
            await world.settled(NAME)
            await has_autoscaler(world, by_keda=False)
            autoscaler = await world.get(HORIZONTAL_POD_AUTOSCALERS, WORKER)
            assert autoscaler is not None
            assert autoscaler["spec"]["minReplicas"] == 1
            await scale(world, 9)
            await are(world, 6)  # its maximum, to which it scales without knowing any figures
        await has_autoscaler(world, by_keda=True)
        await world.settled(NAME)
        assert await workers(world) == 6
        await scale(world, 0)
        await world.looked_at(NAME)
        assert await workers(world) == 0
        with without_keda(world):
            await has_autoscaler(world, by_keda=False)
            await are(world, 1)  # it would never start one by itself


async def test_an_autoscaler_of_the_users_own_is_left_its_say(world: World) -> None:
    own = {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "mine", "namespace": world.namespace},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": WORKER},
            "minReplicas": 5,
            "maxReplicas": 9,
        },
    }
    async with world.operator():
        await world.apply(NAME, jobs())
        await world.settled(NAME)
        assert await workers(world) == 2
        await world.client.patch(HORIZONTAL_POD_AUTOSCALERS, own, manager="user")
        await are(world, 5)
        await world.apply(NAME, jobs(placement={"nodeSelector": {"pool": "batch"}}))
        await world.looked_at(NAME)
        assert await workers(world) == 5
        await world.client._request("DELETE", HORIZONTAL_POD_AUTOSCALERS.path(world.namespace, "mine"))
        await are(world, 2)
