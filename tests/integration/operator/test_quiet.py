"""An unchanged cluster causes no requests, according to the API server's audit log."""

from __future__ import annotations

import time

from tests.integration.operator.world import World
from tts_operator.kube.resources import DEPLOYMENTS, TTSSERVICES
from tts_operator.reconcile.status.writer import STATUS_SECONDS


async def test_a_reconcile_of_an_unchanged_object_makes_no_request(world: World) -> None:
    async with world.operator():
        await world.apply("narrator")
        await world.ready("narrator")
        await world.at_rest("narrator")
        mark, rounds = world.audit_mark(), world.reconciled[world.namespace, "narrator"]
        await world.settled("narrator")  # reconciled twice more at the least
        foreign = {"metadata": {"annotations": {"example.com/mine": "1"}}}
        await world.client.merge(DEPLOYMENTS, world.namespace, "narrator", foreign)
        await world.settled("narrator")
        assert world.reconciled[world.namespace, "narrator"] > rounds + 2
        assert [_short(event) for event in world.requests(mark)] == []
        # The same log does see what the operator asks for when there is something to do.
        await world.client.merge(TTSSERVICES, world.namespace, "narrator", {"spec": {"replicas": 4}})
        await world.settled("narrator")
        assert any(event["verb"] == "patch" for event in world.requests(mark))


async def test_a_restart_over_an_unchanged_world_writes_nothing(world: World) -> None:
    async with world.operator():
        await world.apply("narrator", {"resources": {"limits": {"cpu": "2000m", "memory": "4096Mi"}}})
        await world.ready("narrator")
        await world.at_rest("narrator")
    mark, key = world.audit_mark(), (world.namespace, "narrator")
    rounds = world.reconciled[key]
    async with world.operator():
        # Not touched before its first pass: what changes while a new leader compares is read once more.
        await world.reconciled_again(key, rounds)
        await world.settled("narrator")
    assert [_short(event) for event in world.requests(mark)] == []


async def test_one_service_converges_within_its_budget_of_requests(world: World) -> None:
    async with world.operator():
        mark, begun = world.audit_mark(), time.monotonic()
        await world.apply("narrator")
        await world.settled("narrator")
        late = int((time.monotonic() - begun) / STATUS_SECONDS)
    requests = [_short(event) for event in world.requests(mark)]
    children = 5
    # Two statuses and an event, and the progress of pods that take long.
    assert len(requests) <= children + 3 + late, requests


def _short(event: dict[str, str]) -> str:
    return f"{event['verb']} {event['requestURI'].partition('?')[0]}"
