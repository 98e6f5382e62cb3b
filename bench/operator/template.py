"""The children of a TTSService as the operator made them, to be applied again without it, under other names.

Taken from the API server, not from the operator's code: of each live child exactly the fields that the operator owns
according to `managedFields`, which is what it applied.
Source: https://kubernetes.io/docs/reference/using-api/server-side-apply/
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from bench.cluster.namespace import BenchError, World
from tts_operator.kube.client import FIELD_MANAGER
from tts_operator.kube.resources import DEPLOYMENTS, Resource

PROBE = "zz-children-zz"
"""A name that occurs in its children's manifests nowhere but where the name of the TTSService stands."""
Json = dict[str, Any]


@dataclass(frozen=True)
class Template:
    """The children of one TTSService."""

    namespace: str
    children: Sequence[tuple[Resource, Json]]
    """In the order in which the operator applies them."""

    @property
    def kinds(self) -> Counter[Resource]:
        """How many children there are of each kind."""
        return Counter(resource for resource, _ in self.children)

    def of(self, name: str, namespace: str, owner: Json) -> list[tuple[Resource, Json]]:
        """The same children for a service of another name, with another owner."""
        found: list[tuple[Resource, Json]] = []
        for resource, body in self.children:
            text = orjson.dumps(body).replace(PROBE.encode(), name.encode())
            manifest: Json = orjson.loads(text.replace(self.namespace.encode(), namespace.encode()))
            manifest["metadata"]["ownerReferences"] = [owner]
            found.append((resource, manifest))
        return found


async def learn(place: World, spec: Json) -> Template:
    """Have the operator make a TTSService, and take its children; it is deleted again."""
    await place.apply(PROBE, spec)
    await place.ready(PROBE)
    found = [(resource, applied(resource, live)) for resource, live in await place.children(PROBE)]
    if not any(resource == DEPLOYMENTS for resource, _ in found):
        raise BenchError("the operator has made no Deployment that bears its labels")
    return Template(place.namespace, found)


def applied(resource: Resource, live: Json) -> Json:
    """What the operator has applied of a child. Raises BenchError where it owns nothing of it."""
    entries = [
        entry
        for entry in live["metadata"].get("managedFields", ())
        if entry["manager"] == FIELD_MANAGER and not entry.get("subresource")
    ]
    if len(entries) != 1:
        raise BenchError(f"{resource.kind} {live['metadata']['name']} is not applied by the operator")
    body: Json = {"apiVersion": resource.api_version, "kind": resource.kind} | _owned(live, entries[0]["fieldsV1"])
    body["metadata"] |= {"name": live["metadata"]["name"], "namespace": live["metadata"]["namespace"]}
    if resource == DEPLOYMENTS:
        body["spec"]["replicas"] = live["spec"]["replicas"]  # an autoscaler has it, and would only set it later
    return body


def _owned(live: Any, fields: Mapping[str, Any]) -> Any:
    """Of a live value the part that a record of `fieldsV1` names; a record without inner fields means all of it."""
    inner = {key: value for key, value in fields.items() if key != "."}
    if not inner:
        return live if "." not in fields else type(live)()
    if isinstance(live, dict):
        return {key[2:]: _owned(live[key[2:]], value) for key, value in inner.items() if key[2:] in live}
    return [part for item in live for part in _item(item, inner)]


def _item(item: Any, inner: Mapping[str, Any]) -> list[Any]:
    """What is owned of an item of a list: named by its key fields (k:) or its value (v:)."""
    for key, fields in inner.items():
        name = orjson.loads(key[2:])
        if key.startswith("v:"):
            if item == name:
                return [item]
        elif all(item.get(field) == value for field, value in name.items()):
            return [name | _owned(item, fields)]
    return []
