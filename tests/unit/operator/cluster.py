"""An API server in memory. It keeps what is applied, and records field ownership only for `replicas`."""

import copy
import itertools
from typing import NoReturn

from tests.unit.operator.worlds import NAME, applied
from tts_operator.json_object import Json
from tts_operator.kube import ApiError, Client, Resource
from tts_operator.kube.client import FIELD_MANAGER
from tts_operator.kube.lazy_object import LazyObject, as_lazy_object
from tts_operator.kube.resources import DEPLOYMENTS, TTSSERVICES

SCALER: Json = {"manager": "kube-controller-manager", "operation": "Update", "fieldsV1": {}}


def no_session() -> NoReturn:
    raise AssertionError("a request of a kind that no test expects")


class Cluster(Client):
    """The API server: keeps what is applied, and records field ownership only for `replicas`."""

    def __init__(self) -> None:
        super().__init__(no_session, "https://api.example")
        self.objects: dict[tuple[str, str], Json] = {}
        self.requests: list[tuple[str, str]] = []
        self.service: Json = {}
        self.fails_at = 0
        """The number of a write that fails; 0: none does."""
        self.writes = 0
        self.unheard_at = 0
        """The number of a write that is carried out, and whose answer is lost; 0: none is."""
        self.told: list[Json] = []
        """The TTSService in all its versions."""
        self._versions = itertools.count(100)

    def find(self, resource: Resource, name: str = NAME) -> Json | None:
        """One object."""
        return self.objects.get((resource.kind, name))

    def of(self, resource: Resource) -> list[Json]:
        """All of a kind."""
        return [body for (kind, _), body in self.objects.items() if kind == resource.kind]

    def touch(self, live: Json) -> None:
        """A new version of an object."""
        live["metadata"] = live["metadata"] | {"resourceVersion": str(next(self._versions))}
        if live is self.service:
            self.told.append(copy.deepcopy(live))

    def _write(self, request: tuple[str, str]) -> None:
        self.requests.append(request)
        self.writes += 1
        if self.writes == self.fails_at:
            raise ApiError(status=500, reason="InternalError", message="not now")

    def _heard(self) -> None:
        if self.writes == self.unheard_at:
            raise TimeoutError("no answer came")

    async def apply(
        self, resource: Resource, manifest: Json, *, force: bool = True, manager: str = FIELD_MANAGER
    ) -> LazyObject:
        name = manifest["metadata"]["name"]
        self._write(("apply", f"{resource.kind} {name}"))
        live = self.objects.get((resource.kind, name))
        if manager != FIELD_MANAGER:
            assert not force
            return self._keep(live, manifest, manager)
        _check(live, manifest)
        found = applied(manifest, version=str(next(self._versions)))
        if resource is DEPLOYMENTS:
            _replicas(live, found)
        if live is not None:
            if "generation" in live["metadata"]:
                changed = live.get("spec") != found.get("spec")
                found["metadata"]["generation"] = live["metadata"]["generation"] + changed
            found |= {"status": live["status"]} if "status" in live else {}
            if {**live, "metadata": _still(live)} == {**found, "metadata": _still(found)}:
                return as_lazy_object(live)
        found["metadata"]["uid"] = live["metadata"]["uid"] if live else f"uid-{next(self._versions)}"
        self.objects[resource.kind, name] = found
        self._heard()
        return as_lazy_object(found)

    def _keep(self, live: Json | None, manifest: Json, manager: str) -> LazyObject:
        """Our other field manager shares the replicas, if they have not changed."""
        same = live is not None and live["metadata"]["uid"] == manifest["metadata"]["uid"]
        if live is None or not same or live["spec"]["replicas"] != manifest["spec"]["replicas"]:
            raise ApiError(status=409, reason="Conflict", message="somebody else has them")
        entry: Json = {"manager": manager, "operation": "Apply", "fieldsV1": {}}
        if entry not in live["metadata"]["managedFields"]:
            live["metadata"]["managedFields"] = [*live["metadata"]["managedFields"], entry]
            self.touch(live)
        return as_lazy_object(live)

    async def apply_status(self, resource: Resource, manifest: Json) -> Json:
        self._write(("status", resource.kind))
        _check(self.service, manifest)
        self.service = {**self.service, "status": manifest["status"]}
        self.touch(self.service)
        self._heard()
        return copy.deepcopy(self.service)

    async def get(self, resource: Resource, namespace: str, name: str) -> Json:
        del namespace
        self.requests.append(("get", f"{resource.kind} {name}"))
        if resource is TTSSERVICES:
            return copy.deepcopy(self.service)
        if (resource.kind, name) not in self.objects:
            raise ApiError(status=404, reason="NotFound", message="no")
        return copy.deepcopy(self.objects[resource.kind, name])

    async def create(self, resource: Resource, body: Json) -> Json:
        self.requests.append(("create", resource.kind))
        return body

    async def delete(self, resource: Resource, namespace: str, name: str, *, uid: str) -> None:
        del namespace
        self._write(("delete", f"{resource.kind} {name}"))
        live = self.objects.get((resource.kind, name))
        if live is not None and live["metadata"]["uid"] == uid:
            del self.objects[resource.kind, name]


def _check(live: Json | None, manifest: Json) -> None:
    """Reject a request that is bound to another object, or to another version of it.

    Source: `Store.Update` of k8s.io/apiserver/pkg/registry/generic/registry, and its patch handler. A version is not
    asked for where there is no object.
    """
    asked = manifest["metadata"]
    if live is None and "uid" in asked:
        raise ApiError(status=409, reason="Conflict", message="uid mismatch: no existing object was found")
    for name in ("uid", "resourceVersion"):
        if live is not None and asked.get(name) not in (None, live["metadata"][name]):
            raise ApiError(status=409, reason="Conflict", message="the object has been modified")


def _still(live: Json) -> Json:
    return {name: value for name, value in live["metadata"].items() if name not in {"resourceVersion", "uid"}}


def _replicas(live: Json | None, found: Json) -> None:
    """Who owns `spec.replicas`: we, the autoscaler, several managers, or nobody, so that it falls back to 1."""
    entries = live["metadata"]["managedFields"] if live else []
    others = [entry for entry in entries if entry["manager"] != FIELD_MANAGER]
    if "replicas" not in found["spec"]:
        found["spec"]["replicas"] = live["spec"]["replicas"] if live and others else 1
    elif live and live["spec"]["replicas"] != found["spec"]["replicas"]:
        others = []
    found["metadata"]["managedFields"] = [*found["metadata"]["managedFields"], *others]


def scale(live: Json, count: int) -> None:
    """Write the replicas as an autoscaler does, which takes over the field."""
    live["spec"] = {**live["spec"], "replicas": count}
    entries = copy.deepcopy([each for each in live["metadata"]["managedFields"] if each["manager"] == FIELD_MANAGER])
    for entry in entries:
        entry["fieldsV1"]["f:spec"].pop("f:replicas", None)
    generation = live["metadata"]["generation"] + 1
    live["metadata"] = live["metadata"] | {"managedFields": [*entries, SCALER], "generation": generation}
