"""Which parts of observed objects the caches keep, and which TTSService each object belongs to."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypedDict

import msgspec

from tts_operator.api import GROUP, KIND
from tts_operator.desired.identity import INSTANCE_LABEL, MANAGED_BY, MANAGED_BY_LABEL, WORKER_SUFFIX
from tts_operator.json_object import Json
from tts_operator.kube.client import FIELD_MANAGER
from tts_operator.kube.lazy_object import LazyObject, as_lazy_object, read_whole
from tts_operator.objects import PodSpec, PodStatus, ScaleTargetRef
from tts_operator.reconcile.observed.pod_output import MayShow, hide_output
from tts_operator.runtime.store import Key, Store

CONTENT = "content"
"""Key of a child's fingerprint, which stays the same if only the status changes."""
TEXT = "text"
"""Key of the child's JSON text without its status."""
METADATA = ("name", "namespace", "uid", "resourceVersion", "generation", "deletionTimestamp", "ownerReferences")
TOLD = {"Deployment", "HorizontalPodAutoscaler", "Ingress", "HTTPRoute", "Certificate", "ScaledObject"}
"""Kinds whose status the operator reads."""
CONDITIONS = {"Ready", "PodScheduled"}
"""Conditions of a pod that the operator reads."""
RESTLESS = {"Deployment", "PodDisruptionBudget", "HorizontalPodAutoscaler", "ScaledObject"}
"""Kinds whose status changes often."""
ZONE_LABEL = "topology.kubernetes.io/zone"


class Kept(dict[str, Any]):
    """An object as the cache keeps it."""


class ChildSpec(TypedDict, total=False):
    """The fields that every pass reads."""

    replicas: int
    scaleTargetRef: ScaleTargetRef


_child_spec = msgspec.json.Decoder(ChildSpec)
_pod_spec = msgspec.json.Decoder(PodSpec)
_pod_status = msgspec.json.Decoder(PodStatus)


class Zones(Mapping[str, str]):
    """The zone of each node, read from the cache."""

    def __init__(self, nodes: Store) -> None:
        self._nodes = nodes

    def __getitem__(self, node: str) -> str:
        body = self._nodes.get("", node)
        if body is None:
            raise KeyError(node)
        zone: str = body["metadata"].get("labels", {})[ZONE_LABEL]
        return zone

    def __iter__(self) -> Iterator[str]:
        return (body["metadata"]["name"] for body in self._nodes)

    def __len__(self) -> int:
        return len(self._nodes)


class NodeLabels:
    """The labels of each node, read from the cache."""

    def __init__(self, nodes: Store) -> None:
        self._nodes = nodes

    def __iter__(self) -> Iterator[Mapping[str, str]]:
        return (body["metadata"].get("labels", {}) for body in self._nodes)


def own_name(body: Mapping[str, Any]) -> Key:
    """The key of a TTSService."""
    return body["metadata"]["namespace"], body["metadata"]["name"]


def is_unseen(body: Mapping[str, Any]) -> bool:
    """Whether no operator has processed the TTSService yet: its observedGeneration is still the default."""
    return bool(body.get("status", {}).get("observedGeneration", -1) == -1)


def service_of(body: Mapping[str, Any]) -> Key | None:
    """The key of the TTSService that an object belongs to: by its owner reference, or otherwise by its labels."""
    metadata = body["metadata"]
    for owner in metadata.get("ownerReferences", ()):
        if owner.get("kind") == KIND and owner["apiVersion"].startswith(GROUP + "/"):
            return metadata["namespace"], owner["name"]
    labels = metadata.get("labels", {})
    if labels.get(MANAGED_BY_LABEL) == MANAGED_BY and (name := labels.get(INSTANCE_LABEL)):
        return metadata["namespace"], name
    target = body.get("spec", {}).get("scaleTargetRef", {})  # a user's own autoscaler
    return (metadata["namespace"], target["name"]) if target.get("kind") == "Deployment" else None


def service_of_workers(deployment: Key) -> Key | None:
    """The key of the TTSService whose workers a Deployment may be, by its name; None if it has none of theirs."""
    namespace, name = deployment
    service = name.removesuffix(WORKER_SUFFIX)
    return (namespace, service) if service and service != name else None


def trim(body: Json) -> Json:
    """Trim a child: keep what each pass reads, and the rest as text, which takes a sixth of the memory.

    Of `managedFields`, only our own entry is kept.
    """
    if isinstance(body, Kept):
        return body
    found = as_lazy_object(body)
    metadata = found["metadata"]
    ours = [entry for entry in metadata.get("managedFields", ()) if entry.get("manager") == FIELD_MANAGER]
    rest = {name: value for name, value in found.items() if name != "status"}
    text = msgspec.json.encode({**rest, "metadata": {**metadata, "managedFields": ours}})
    told = {"status": read_whole(found["status"])} if "status" in found and found["kind"] in TOLD else {}
    return Kept(
        apiVersion=found["apiVersion"],
        kind=found["kind"],
        # `service_of` reads the owner references, or otherwise the labels.
        metadata=_picked(metadata, METADATA if "ownerReferences" in metadata else (*METADATA, "labels")),
        spec=_child_spec.decode(found["spec"]) if "spec" in found else {},
        # Copied, because a quarter of msgspec's buffer is unused.
        **{CONTENT: _content(found, ours), TEXT: bytes(memoryview(text))},
        **told,
    )


def whole(kept: Json) -> Json:
    """Restore the whole child, for the comparison with its manifest."""
    found: Json = read_whole(kept[TEXT])
    return found | {"status": kept["status"]} if "status" in kept else found


def trim_service(body: Json) -> Json:
    """Trim a TTSService: drop `managedFields`."""
    return {**body, "metadata": {name: value for name, value in body["metadata"].items() if name != "managedFields"}}


def _content(found: LazyObject, ours: list[Json]) -> tuple[Any, ...]:
    """The fingerprint of a child: equal for two versions that lead to the same decisions."""
    metadata = found["metadata"]
    if found["kind"] not in RESTLESS:
        return metadata["uid"], metadata["resourceVersion"]
    # The generation identifies the spec; an autoscaler has none.
    spec = metadata.get("generation") or found["spec"]
    record = hash(msgspec.json.encode([spec, ours, metadata.get("labels"), metadata.get("ownerReferences")]))
    return metadata["uid"], record, "deletionTimestamp" in metadata


def trim_pod(body: Json, *, may_show: MayShow | None = None) -> Json:
    """Trim a pod: keep its node and its status, without output that must not be shown (None: show all)."""
    if isinstance(body, Kept):
        return body
    found = as_lazy_object(body)
    status = _pod_status.decode(found["status"]) if "status" in found else PodStatus()
    if may_show is not None and "spec" in found:
        status = hide_output(status, found["spec"], found["metadata"], may_show)
    conditions = [each for each in status.get("conditions", ()) if each["type"] in CONDITIONS]
    return Kept(
        metadata=_picked(found["metadata"], (*METADATA, "labels", "creationTimestamp")),
        spec={"nodeName": _pod_spec.decode(found["spec"]).get("nodeName") if "spec" in found else None},
        status={**status, "conditions": conditions},
    )


def _picked(body: Json, names: Iterable[str]) -> Json:
    return {name: body[name] for name in names if name in body}
