"""The observed state that decisions about one TTSService are based on."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

from tts_operator.api import TTSService
from tts_operator.desired.identity import BACKEND_LABEL
from tts_operator.json_object import Json
from tts_operator.kube.resources import (
    CONTROLLER_REVISIONS,
    DEPLOYMENTS,
    HORIZONTAL_POD_AUTOSCALERS,
    SCALED_OBJECTS,
)
from tts_operator.objects import Deployment, HorizontalPodAutoscaler, Pod, ScaledObject
from tts_operator.reconcile.observed.ownership import owned_by

Address = tuple[str, str, str]
"""apiVersion, kind and name of a child; its namespace is that of the TTSService."""


def address(body: Json) -> Address:
    """The address of a manifest or a live object."""
    return body["apiVersion"], body["kind"], body["metadata"]["name"]


def backend_of(pod: Pod) -> str:
    """The separate backend that a pod belongs to, or asks; empty for none."""
    return pod["metadata"].get("labels", {}).get(BACKEND_LABEL, "")


@dataclass(frozen=True, kw_only=True)
class Observed:
    """The live children and pods of one TTSService."""

    children: Mapping[Address, Json] = field(default_factory=dict)
    """Live objects that belong to the service, or have a child's name."""
    pods: Sequence[Pod] = ()
    """Stable and candidate pods."""
    workers: Sequence[Pod] = ()
    """Pods that speak jobs and serve no clients."""
    backends: Sequence[Pod] = ()
    """Pods of separate backends."""
    zones: Mapping[str, str] = field(default_factory=dict)
    """Zone of each node, by the node's name."""
    nodes: Iterable[Mapping[str, str]] = ()
    """Labels of each node; empty if the nodes cannot be read."""
    unserved: Collection[tuple[str, str]] = frozenset()
    """apiVersion and kind of resources that the API server does not serve, because their CRD is not installed."""

    without: Collection[tuple[str, str]] = frozenset()
    """apiVersion and kind of resources that are disabled in this operator, and that it has no rights to."""

    def child(self, api_version: str, kind: str, name: str) -> Json | None:
        """A live child, or None."""
        return self.children.get((api_version, kind, name))

    def deployment(self, name: str) -> Deployment | None:
        """A live Deployment, or None."""
        return cast("Deployment | None", self.child(DEPLOYMENTS.api_version, DEPLOYMENTS.kind, name))

    def autoscaler(self, name: str) -> HorizontalPodAutoscaler | None:
        """A live HorizontalPodAutoscaler, or None."""
        resource = HORIZONTAL_POD_AUTOSCALERS
        return cast("HorizontalPodAutoscaler | None", self.child(resource.api_version, resource.kind, name))

    def scaled_object(self, name: str) -> ScaledObject | None:
        """A live ScaledObject of KEDA, or None."""
        return cast("ScaledObject | None", self.child(SCALED_OBJECTS.api_version, SCALED_OBJECTS.kind, name))

    def pods_of_backend(self, backend: str) -> list[Pod]:
        """The pods of one separate backend."""
        return [pod for pod in self.backends if backend_of(pod) == backend]

    def has(self, api_version: str, kind: str, name: str) -> bool:
        """Whether such a child exists and is not being deleted."""
        live = self.child(api_version, kind, name)
        return live is not None and "deletionTimestamp" not in live["metadata"]

    def history(self, service: TTSService) -> list[Json]:
        """The ControllerRevisions of the service."""
        kind = CONTROLLER_REVISIONS.kind
        return [body for body in self.children.values() if body["kind"] == kind and owned_by(body, service)]
