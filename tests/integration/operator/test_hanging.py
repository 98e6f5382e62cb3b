"""A namespace whose admission webhook never answers, and a service in another one."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.integration.operator.conftest import NAMESPACES
from tests.integration.operator.world import PATIENCE, UNHEARD, World, until
from tts_operator.kube.resources import Resource

WEBHOOKS = Resource(
    group="admissionregistration.k8s.io",
    version="v1",
    kind="ValidatingWebhookConfiguration",
    plural="validatingwebhookconfigurations",
    namespaced=False,
)
HANGING = 12
ROUNDS = 3


class Webhook:
    """A server that accepts connections and never responds, so that the API server waits for its time-out."""

    def __init__(self) -> None:
        self.hanging: set[int] = set()
        """The requests that wait for an answer, by their numbers."""
        self._over = asyncio.Event()

    def hang_up(self) -> None:
        """End the requests that wait. Those that come later wait again."""
        self._over.set()
        self._over = asyncio.Event()

    @asynccontextmanager
    async def serve(self) -> AsyncIterator[str]:
        """Yields the address."""
        numbers, ended, closing = itertools.count(), asyncio.Condition(), False

        async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            number, over = next(numbers), self._over
            self.hanging.add(number)
            given_up, ending = asyncio.create_task(reader.read()), asyncio.create_task(over.wait())
            try:
                if not closing:
                    await asyncio.wait([given_up, ending], return_when="FIRST_COMPLETED")
            finally:
                given_up.cancel()
                ending.cancel()
                writer.close()
                async with ended:
                    self.hanging.remove(number)
                    ended.notify_all()

        server = await asyncio.start_server(hang, "127.0.0.1", 0)
        async with server:
            host, port = server.sockets[0].getsockname()[:2]
            try:
                yield f"https://{host}:{port}/"
            finally:
                closing = True
                self.hang_up()
                async with asyncio.timeout(PATIENCE), ended:
                    await ended.wait_for(lambda: not self.hanging)


@asynccontextmanager
async def other_namespace(world: World) -> AsyncIterator[World]:
    """A second namespace of the same operator."""
    name = f"{world.namespace}-hung"
    await world.client._request("POST", NAMESPACES.path(), body={"metadata": {"name": name}})
    try:
        yield World(world.product, name, world.client, world.operator_access)
    finally:
        await world.client._request("DELETE", NAMESPACES.path(name=name), body={"propagationPolicy": "Background"})


@asynccontextmanager
async def admission_by(world: World, url: str) -> AsyncIterator[None]:
    """While the block runs, no child in the namespace is written without the consent of the webhook at this address."""
    rule = {"apiGroups": ["", "apps", "policy"], "apiVersions": ["*"], "resources": ["*"]}
    hook = {
        "name": "asked-first.example.org",
        "clientConfig": {"url": url},
        "rules": [rule | {"operations": ["CREATE", "UPDATE"]}],
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": world.namespace}},
        "failurePolicy": "Fail",
        "timeoutSeconds": 30,
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
    }
    body = {"metadata": {"name": world.namespace}, "webhooks": [hook]}
    await world.client._request("POST", WEBHOOKS.path(), body=body)
    try:
        yield
    finally:
        await world.client._request("DELETE", WEBHOOKS.path(name=world.namespace))


@asynccontextmanager
async def hung(world: World) -> AsyncIterator[Webhook]:
    """While the block runs, every write in the namespace hangs until its time-out."""
    webhook = Webhook()
    async with webhook.serve() as url, admission_by(world, url):
        yield webhook


async def ready_and_changed(world: World, name: str) -> None:
    """Wait until a new service is ready, and then until another change of it is applied."""
    await world.apply(name, {"rollout": UNHEARD})
    await world.ready(name)
    changed = await world.apply(name, {"replicas": 4, "rollout": UNHEARD})
    await world.ready(name, generation=changed["metadata"]["generation"])


@pytest.mark.timeout(300)
async def test_services_whose_requests_hang_keep_no_other_waiting(world: World) -> None:
    async with other_namespace(world) as other, world.operator() as operator:
        names = [f"hanging-{number}" for number in range(HANGING)]
        for name in names:
            await other.apply(name, {"rollout": UNHEARD})
        for name in names:
            await other.ready(name)
        async with hung(other) as webhook:
            numbers = itertools.count(4)

            async def hangs() -> bool:  # a new webhook is noticed within a moment
                replicas = next(numbers)
                for name in names:
                    await other.apply(name, {"replicas": replicas, "rollout": UNHEARD})
                return len(webhook.hanging) >= HANGING / 3

            for number in range(ROUNDS):
                webhook.hang_up()  # those that hang next have all of their time before them
                await until(hangs, "requests hang")
                before = set(webhook.hanging)
                await ready_and_changed(world, f"beside-{number}")
                assert before & webhook.hanging, "ready only when every request that hung before had run out of time"
            assert await operator._problem() == ""
        for name in names:
            await other.ready(name, patience=100)
