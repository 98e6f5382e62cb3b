"""What is kept of the objects that the operator sees, and to which TTSService each belongs."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypedDict

import msgspec

from tts_operator.api import GROUP, KIND
from tts_operator.desired.identity import INSTANCE_LABEL, MANAGED_BY, MANAGED_BY_LABEL
from tts_operator.json_object import Json
from tts_operator.kube.client import FIELD_MANAGER
from tts_operator.kube.lazy_object import LazyObject, as_lazy_object, read_whole
from tts_operator.reconcile.observed.pod_output import Speaks, quiet
from tts_operator.runtime.store import Key, Store

CONTENT = "content"
"""Added to what is kept of a child: the same as long as only its status has changed."""
TEXT = "text"
"""Added as well: all of the child but its status, as JSON."""
METADATA = ("name", "namespace", "uid", "resourceVersion", "generation", "deletionTimestamp", "ownerReferences")
TOLD = {"Deployment", "HorizontalPodAutoscaler", "Ingress", "HTTPRoute", "Certificate"}
"""Kinds whose status is read."""
CONDITIONS = {"Ready", "PodScheduled"}
"""Conditions of a pod that are read."""
RESTLESS = {"Deployment", "PodDisruptionBudget", "HorizontalPodAutoscaler"}
"""Kinds whose status changes all the time."""
ZONE_LABEL = "topology.kubernetes.io/zone"


class Kept(dict[str, Any]):
    """An object as it is kept."""


class ChildSpec(TypedDict, total=False):
    """What is read of it at each pass."""

    replicas: int
    scaleTargetRef: Json


class PodSpec(TypedDict, total=False):
    """Where a pod is."""

    nodeName: str


class PodCondition(TypedDict, total=False):
    """One of its conditions."""

    type: str
    status: str
    lastTransitionTime: str
    reason: str
    message: str


class PodContainer(TypedDict, total=False):
    """How one of its containers does."""

    name: str
    state: Json
    lastState: Json


class PodStatus(TypedDict, total=False):
    """How a pod does."""

    phase: str
    reason: str
    message: str
    podIP: str
    hostIP: str
    conditions: list[PodCondition]
    initContainerStatuses: list[PodContainer]
    containerStatuses: list[PodContainer]


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
    """Whether no operator has ever looked at a TTSService: the schema's default says so."""
    return bool(body.get("status", {}).get("observedGeneration", -1) == -1)


def service_of(body: Mapping[str, Any]) -> Key | None:
    """The TTSService that an object belongs to: by its owner, or for lack of one, by its label."""
    metadata = body["metadata"]
    for owner in metadata.get("ownerReferences", ()):
        if owner.get("kind") == KIND and owner["apiVersion"].startswith(GROUP + "/"):
            return metadata["namespace"], owner["name"]
    labels = metadata.get("labels", {})
    if labels.get(MANAGED_BY_LABEL) == MANAGED_BY and (name := labels.get(INSTANCE_LABEL)):
        return metadata["namespace"], name
    target = body.get("spec", {}).get("scaleTargetRef", {})  # somebody's own autoscaler
    return (metadata["namespace"], target["name"]) if target.get("kind") == "Deployment" else None


def trim(body: Json) -> Json:
    """A child as it is kept: what each pass reads, and the rest as text, which takes a sixth of the memory.

    Of the record who owns which field, only our own entry is ever read.
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
        # Whom it belongs to is told by its owners, or for lack of one, by its labels.
        metadata=_picked(metadata, METADATA if "ownerReferences" in metadata else (*METADATA, "labels")),
        spec=_child_spec.decode(found["spec"]) if "spec" in found else {},
        # Copied, because msgspec leaves a quarter of what it gives back unused.
        **{CONTENT: _content(found, ours), TEXT: bytes(memoryview(text))},
        **told,
    )


def whole(kept: Json) -> Json:
    """A child as it is compared with what is wanted."""
    found: Json = read_whole(kept[TEXT])
    return found | {"status": kept["status"]} if "status" in kept else found


def trim_service(body: Json) -> Json:
    """A TTSService without the record who owns which of its fields."""
    return {**body, "metadata": {name: value for name, value in body["metadata"].items() if name != "managedFields"}}


def _content(found: LazyObject, ours: list[Json]) -> tuple[Any, ...]:
    """What the decisions about a child are made of, for comparison."""
    metadata = found["metadata"]
    if found["kind"] not in RESTLESS:
        return metadata["uid"], metadata["resourceVersion"]
    # The generation counts the versions of the spec; an autoscaler has none.
    spec = metadata.get("generation") or found["spec"]
    record = hash(msgspec.json.encode([spec, ours, metadata.get("labels"), metadata.get("ownerReferences")]))
    return metadata["uid"], record, "deletionTimestamp" in metadata


def trim_pod(body: Json, *, speaks: Speaks | None = None) -> Json:
    """What the status is made of: where the pod is, and how it does, as far as it may be repeated (None: all may)."""
    if isinstance(body, Kept):
        return body
    found = as_lazy_object(body)
    status = _pod_status.decode(found["status"]) if "status" in found else PodStatus()
    if speaks is not None and "spec" in found:
        status = quiet(status, found["spec"], found["metadata"], speaks)
    conditions = [each for each in status.get("conditions", ()) if each["type"] in CONDITIONS]
    return Kept(
        metadata=_picked(found["metadata"], (*METADATA, "labels", "creationTimestamp")),
        spec={"nodeName": _pod_spec.decode(found["spec"]).get("nodeName") if "spec" in found else None},
        status={**status, "conditions": conditions},
    )


def _picked(body: Json, names: Iterable[str]) -> Json:
    return {name: body[name] for name in names if name in body}
