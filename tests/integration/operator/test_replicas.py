"""Two processes and one lease: which one works, when the other takes over, and that never both write."""

from __future__ import annotations

import itertools
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from tests.integration.operator.gateway import Gateway
from tests.integration.operator.replica import KEY, LEASE, Replica, replica
from tests.integration.operator.world import PATIENCE, World, until
from tts_operator.json_object import Json
from tts_operator.kube.errors import ApiError
from tts_operator.kube.resources import DEPLOYMENTS, LEASES, SECRETS
from tts_operator.kube.turns import AT_ONCE

NAME = "narrator"
READY = 'tts_operator_services{condition="Ready",status="True"} 1.0'
"""In the metrics of a replica that knows that the service is ready."""
TAKEOVER = 60.0
"""A lease lasts 12 s."""
READING = {"get", "list", "watch"}


@asynccontextmanager
async def pair(world: World, folder: Path) -> AsyncIterator[tuple[Replica, Replica]]:
    """Two replicas, of which the first leads, and a service that is ready."""
    with suppress(ApiError):  # there is none
        await world.client._request("DELETE", LEASES.path(*LEASE))
    async with replica(world, "first", folder) as first:
        await first.until_leading()
        async with replica(world, "second", folder) as second:
            await second.until_ready()
            await world.apply(NAME)
            await world.ready(NAME)
            yield first, second


async def changed(world: World, replicas: int) -> None:
    """Change the spec, and wait until it is applied."""
    applied = await world.apply(NAME, {"replicas": replicas})
    await world.ready(NAME, generation=applied["metadata"]["generation"])


def writers(world: World, mark: int, *replicas: Replica) -> list[str]:
    """Which replicas have written, in order, without consecutive repeats."""
    events = sorted(world.requests(mark), key=lambda event: str(event["requestReceivedTimestamp"]))
    writes = [event for event in events if event["verb"] not in READING]
    names = [next(each.name for each in replicas if each.made([event])) for event in writes]
    return [name for name, _ in itertools.groupby(names)]


async def test_a_leader_that_is_killed_is_followed(world: World, tmp_path: Path) -> None:
    mark = world.audit_mark()
    async with pair(world, tmp_path) as (first, second):
        await world.apply(NAME, {"replicas": 4})
        first.process.kill()
        await second.until_leading(patience=TAKEOVER)
        await changed(world, 5)
    assert writers(world, mark, first, second) == ["first", "second"]
    assert await transitions(world) == 1


async def test_replicas_agree_on_one_secret(world: World, tmp_path: Path) -> None:
    for kind, place in ((SECRETS, KEY), (LEASES, LEASE)):
        with suppress(ApiError):  # there is none
            await world.client._request("DELETE", kind.path(*place))
    by_key: Json = {"server": {"auth": {"apiKeysSecretRef": {"name": "keys", "key": "keys"}}}}
    async with (
        replica(world, "first", tmp_path, "--key-secret", "/".join(KEY)) as first,
        replica(world, "second", tmp_path, "--key-secret", "/".join(KEY)) as second,
    ):
        await first.until_ready()
        await second.until_ready()
        keys = []
        for name in ("before", "after"):
            await world.apply(name, by_key)
            await world.ready(name, patience=TAKEOVER + PATIENCE)
            keys.append(await public_key(world, name))
            if name == "before":
                (await leader(first, second)).process.kill()
        assert keys[0] == keys[1]
        body: Json = await world.client.get(SECRETS, *KEY)
        for each in (first, second):
            assert body["data"]["secret"] not in each.log.read_text()


async def public_key(world: World, name: str) -> str:
    """By which the pods of a service know the operator."""
    body: Json = await world.client.get(DEPLOYMENTS, world.namespace, name)
    env = body["spec"]["template"]["spec"]["containers"][0]["env"]
    key: str = next(each["value"] for each in env if each["name"] == "TTS_PROBE_PUBLIC_KEY")
    return key


async def leader(*replicas: Replica) -> Replica:
    """The one that holds the lease."""
    found = [each for each in replicas if "tts_operator_leader 1.0" in (await each.page("/metrics"))[1]]
    assert len(found) == 1
    return found[0]


async def test_a_leader_that_is_told_to_stop_gives_the_lease_back(world: World, tmp_path: Path) -> None:
    mark = world.audit_mark()
    async with pair(world, tmp_path) as (first, second):
        await world.apply(NAME, {"replicas": 4})
        first.process.terminate()
        assert await first.ended(PATIENCE) == 0, first.log.read_text()
        lease: Json = await world.client.get(LEASES, *LEASE)
        assert not lease["spec"].get("holderIdentity", "").startswith("first-"), "it would have to run out"
        await second.until_leading(patience=TAKEOVER)
        await changed(world, 5)
    assert writers(world, mark, first, second) == ["first", "second"]
    assert not [line for line in first.lines() if line["level"] == "error" or "traceback" in line]


async def test_a_leader_that_sleeps_writes_nothing_when_it_wakes(world: World, tmp_path: Path) -> None:
    mark = world.audit_mark()
    async with pair(world, tmp_path) as (first, second):
        first.process.send_signal(signal.SIGSTOP)
        await second.until_leading(patience=TAKEOVER)
        await changed(world, 4)
        first.process.send_signal(signal.SIGCONT)
        await changed(world, 5)
        assert await first.ended(PATIENCE) == 1
        assert first.said("the lease is lost")
    assert writers(world, mark, first, second) == ["first", "second"]


async def test_who_stands_by_asks_for_the_lease_alone(world: World, tmp_path: Path) -> None:
    async with pair(world, tmp_path) as (first, second):
        await page_when(second, lambda text: READY in text)  # kopf lists the services after the caches are filled
        mark = world.audit_mark()
        await changed(world, 4)
        asked = set[tuple[str, str]]()

        async def looked() -> bool:
            asked.update(
                (event["verb"], event["objectRef"]["resource"])
                for event in second.made(world.asked(mark))
                if event["verb"] != "watch"
            )
            return len(second.made(world.asked(mark))) >= 3

        await until(looked, "the second has looked at the lease")
        assert asked == {("get", "leases")}
        assert first.made(world.asked(mark))


async def test_a_leader_whose_writes_all_wait_keeps_the_lease(world: World) -> None:
    with suppress(ApiError):  # there is none
        await world.client._request("DELETE", LEASES.path(*LEASE))
    gateway = Gateway(world.operator_access)
    async with gateway.serve() as access, world.operator(access=access, lease=LEASE) as operator:
        gateway.hold()
        names = [f"{NAME}-{number}" for number in range(2 * AT_ONCE)]
        for name in names:
            await world.apply(name)

        async def full() -> bool:
            return gateway.held == len(names)

        await until(full, "a write of each waits for its answer")
        renewals = gateway.renewals

        async def renewed() -> bool:
            return gateway.renewals >= renewals + 2

        await until(renewed, "the lease is renewed twice", patience=TAKEOVER)
        assert operator._may_write()
        gateway.release()
        for name in names:
            await world.ready(name, patience=2 * PATIENCE)


async def test_each_replica_answers(world: World, tmp_path: Path) -> None:
    paths = {"/healthz": 200, "/readyz": 200, "/metrics": 200, "/": 404}
    async with replica(world, "only", tmp_path) as only:
        await only.until_ready()
        assert {path: (await only.page(path))[0] for path in paths} == paths


async def test_what_prometheus_is_told(world: World, tmp_path: Path) -> None:
    async with pair(world, tmp_path) as (first, second):
        passes = 'tts_operator_reconcile_seconds_count{result="success"}'
        text = await page_when(first, lambda text: READY in text and float(samples(text).get(passes, "0")) >= 2)
        other = await page_when(second, lambda text: READY in text)
        told = samples(text)
        assert float(told['tts_operator_api_requests_total{code="201",resource="deployments",verb="PATCH"}']) == 1
        assert float(told['tts_operator_api_requests_total{code="200",resource="pods",verb="WATCH"}']) >= 1
        assert float(told['tts_operator_queue_depth{lane="fast"}']) >= 0
        assert told['tts_operator_watch_restarts_total{resource="deployments"}'] == "0.0"
        assert {"process_resident_memory_bytes", "process_cpu_seconds_total"} <= told.keys()
        assert "tts_operator_leader 0.0" in other


def samples(text: str) -> dict[str, str]:
    return dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))


async def page_when(told_by: Replica, holds: Callable[[str], bool]) -> str:
    """The replica's page of metrics, once that holds for it: a page is up to a second old."""
    texts: list[str] = []

    async def so() -> bool:
        texts.append((await told_by.page("/metrics"))[1])
        return holds(texts[-1])

    await until(so, f"the page of {told_by.name} says it")
    return texts[-1]


async def transitions(world: World) -> int:
    """How often the lease has changed hands."""
    body: Json = await world.client.get(LEASES, *LEASE)
    return int(body["spec"]["leaseTransitions"])
