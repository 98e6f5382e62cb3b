"""The children of a TTSService as the operator applied them, as a template to apply without it under other names.

The template comes from the API server, not from the operator's code. It consists of the fields of each live child that
the operator owns according to `managedFields`.
Source: https://kubernetes.io/docs/reference/using-api/server-side-apply/
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from bench.cluster.namespace import BenchError, BenchNamespace
from tts_operator.json_object import Json
from tts_operator.kube.client import FIELD_MANAGER
from tts_operator.kube.resources import DEPLOYMENTS, Resource

PROBE = "zz-children-zz"
"""A name that cannot occur in the children's manifests except as the name of the TTSService."""


@dataclass(frozen=True)
class Template:
    """The children of a TTSService."""

    namespace: str
    children: Sequence[tuple[Resource, Json]]
    """In the order in which the operator applies them."""

    @property
    def kinds(self) -> Counter[Resource]:
        """The number of children of each kind."""
        return Counter(resource for resource, _ in self.children)

    def of(self, name: str, namespace: str, owner: Json) -> list[tuple[Resource, Json]]:
        """Return the children for a service of another name, with another owner."""
        found: list[tuple[Resource, Json]] = []
        for resource, body in self.children:
            text = orjson.dumps(body).replace(PROBE.encode(), name.encode())
            manifest: Json = orjson.loads(text.replace(self.namespace.encode(), namespace.encode()))
            manifest["metadata"]["ownerReferences"] = [owner]
            found.append((resource, manifest))
        return found


async def learn(ns: BenchNamespace, spec: Json) -> Template:
    """Apply a TTSService, and return its children as a template once the operator has created them."""
    await ns.apply(PROBE, spec)
    await ns.ready(PROBE)
    found = [(resource, applied(resource, live)) for resource, live in await ns.children(PROBE)]
    if not any(resource == DEPLOYMENTS for resource, _ in found):
        raise BenchError("the operator has created no Deployment with its labels")
    return Template(ns.name, found)


def applied(resource: Resource, live: Json) -> Json:
    """Return the fields of a child that the operator applied. Raises BenchError if there are none."""
    entries = [
        entry
        for entry in live["metadata"].get("managedFields", ())
        if entry["manager"] == FIELD_MANAGER and not entry.get("subresource")
    ]
    if len(entries) != 1:
        raise BenchError(f"{resource.kind} {live['metadata']['name']} was not applied by the operator")
    body: Json = {"apiVersion": resource.api_version, "kind": resource.kind} | _owned(live, entries[0]["fieldsV1"])
    body["metadata"] |= {"name": live["metadata"]["name"], "namespace": live["metadata"]["namespace"]}
    if resource == DEPLOYMENTS:
        body["spec"]["replicas"] = live["spec"]["replicas"]  # owned by the autoscaler, which would set it later
    return body


def _owned(live: Any, fields: Mapping[str, Any]) -> Any:
    """Return the part of a live value that `fieldsV1` names: all of it, if there are no inner fields."""
    inner = {key: value for key, value in fields.items() if key != "."}
    if not inner:
        return live if "." not in fields else type(live)()
    if isinstance(live, dict):
        return {key[2:]: _owned(live[key[2:]], value) for key, value in inner.items() if key[2:] in live}
    return [part for item in live for part in _item(item, inner)]


def _item(item: Any, inner: Mapping[str, Any]) -> list[Any]:
    """Return the owned part of a list item, which is named by its key fields (k:) or its value (v:)."""
    for key, fields in inner.items():
        name = orjson.loads(key[2:])
        if key.startswith("v:"):
            if item == name:
                return [item]
        elif all(item.get(field) == value for field, value in name.items()):
            return [name | _owned(item, fields)]
    return []
