"""A reconciler with its caches, on an API server that accepts everything, unless a test says otherwise."""

import asyncio
from typing import Any, NoReturn

from tests.unit.operator.worlds import DEFAULTS, NAME, NAMESPACE, OPEN, applied, body, counts
from tts_operator.json_object import Json
from tts_operator.kube import FIELD_MANAGER, ApiError, Client, Resource
from tts_operator.kube.lazy_object import LazyObject, as_lazy_object
from tts_operator.kube.resources import CHILDREN, DEPLOYMENTS
from tts_operator.policy import Policy
from tts_operator.reconcile import Reconciler
from tts_operator.reconcile.observed.trimming import trim, whole
from tts_operator.reconcile.status.writer import FIRST_SECONDS
from tts_operator.runtime import Key, Store

KEY = NAMESPACE, NAME


def own_name(found: Json) -> Key:
    return found["metadata"]["namespace"], found["metadata"]["name"]


def no_session() -> NoReturn:
    raise AssertionError("a request of a kind that no test expects")


class Api(Client):
    """Records each request. Raises the `answers` for its kind: each of a list once, or a single one every time."""

    def __init__(self) -> None:
        super().__init__(no_session, "https://api.example")
        self.requests: list[tuple[str, str]] = []
        self.answers: dict[tuple[str, str], list[Exception] | Exception] = {}
        self.live: dict[str, Json] = {}
        self.statuses: list[Json] = []
        self.version = 100
        self.spec: Json = {}
        self.generation = 1

    def _asked(self, verb: str, kind: str) -> None:
        self.requests.append((verb, kind))
        answer = self.answers.get((verb, kind))
        if isinstance(answer, list):
            answer = answer.pop(0) if answer else None
        if answer is not None:
            raise answer
        self.version += 1

    async def apply(
        self, resource: Resource, manifest: Json, *, force: bool = True, manager: str = FIELD_MANAGER
    ) -> LazyObject:
        await asyncio.sleep(0)
        self._asked("force" if force else "apply" if manager == FIELD_MANAGER else "keep", resource.kind)
        return as_lazy_object(applied(manifest, version=str(self.version)))

    async def apply_status(self, resource: Resource, manifest: Json) -> Json:
        self._asked("status", resource.kind)
        self.statuses.append(manifest["status"])
        version = str(self.version)
        return body(self.spec, status=manifest["status"], generation=self.generation, resourceVersion=version)

    async def replace(self, resource: Resource, body: Json) -> Json:
        self._asked("replace", resource.kind)
        return body

    async def get(self, resource: Resource, namespace: str, name: str) -> Json:
        self._asked("get", resource.kind)
        assert (namespace, name) == KEY
        if resource.kind not in self.live:
            raise refusal(404, "NotFound")
        return self.live[resource.kind]

    async def create(self, resource: Resource, body: Json) -> Json:
        self._asked("create", resource.kind)
        return body

    async def delete(self, resource: Resource, namespace: str, name: str, *, uid: str) -> None:
        assert uid
        assert namespace == NAMESPACE
        self._asked("delete", f"{resource.kind} {name}")


class World:
    """A reconciler with its caches."""

    def __init__(self, found: Json | None = None, policy: Policy = OPEN) -> None:
        self.api = Api()
        self.services = Store(key_of=own_name)
        self.children = {resource: Store(key_of=lambda _: KEY, trim=trim) for resource in CHILDREN}
        self.pods = Store(key_of=lambda _: KEY)
        self.begun = False
        if found is not None:
            self.services.put(found)
            self.api.spec = found["spec"]
        self.restart(policy)

    def restart(self, policy: Policy = OPEN) -> None:
        """Another process, with the same caches."""
        self.reconciler = Reconciler(
            self.api,
            services=self.services,
            children=self.children,
            pods=self.pods,
            zones={},
            defaults=DEFAULTS,
            policy=policy,
        )

    async def reconcile(self) -> float | None:
        """Run one pass; for a new service, all passes until its first status is due."""
        again = await self.reconciler.reconcile(KEY)
        while not self.begun and again is not None and again <= FIRST_SECONDS:
            self.begun = again > 0
            await asyncio.sleep(again)
            again = await self.reconciler.reconcile(KEY)
        self.begun = True
        return again

    def deployment(self, **status: Any) -> None:
        """News of the Deployment, and of that of the workers."""
        self.api.version += 1
        for kept in list(self.children[DEPLOYMENTS]):
            live = whole(kept)
            metadata = live["metadata"] | {"resourceVersion": str(self.api.version)}
            self.children[DEPLOYMENTS].put({**live, "metadata": metadata, "status": counts(**status)})

    def ready(self) -> tuple[str, str]:
        """Status and reason of Ready, as last written."""
        condition = self.api.statuses[-1]["conditions"][0]
        assert condition["type"] == "Ready"
        return condition["status"], condition["reason"]


async def converged(spec: Json | None = None) -> World:
    """A service with ready pods and a written status, and no requests since."""
    world = World(body(spec))
    await world.reconcile()
    world.deployment(**counts(wanted=3))
    await world.reconcile()
    (ready,) = (each for each in world.api.statuses[-1]["conditions"] if each["type"] == "WorkloadReady")
    assert ready["status"] == "True"
    await asyncio.sleep(10)
    world.api.requests.clear()
    return world


def refusal(status: int, reason: str, *causes: str, retry_after: float | None = None) -> ApiError:
    return ApiError(status=status, reason=reason, message="no", causes=causes, retry_after=retry_after)


CONFLICT, INVALID = refusal(409, "Conflict"), refusal(422, "Invalid")
