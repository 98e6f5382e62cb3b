"""The fields of Kubernetes objects that the operator reads. Any may be missing: the API server omits empty ones.

Source: https://kubernetes.io/docs/reference/kubernetes-api/
"""

from typing import Any, TypedDict

from msgspec import Raw

from tts_operator.json_object import Json


class ManagedFieldsEntry(TypedDict, total=False):
    """Which fields a manager owns. `fieldsV1` stays text."""

    manager: str
    operation: str
    apiVersion: str
    time: str
    fieldsType: str
    fieldsV1: Raw
    subresource: str


class ObjectMeta(TypedDict, total=False):
    """The metadata of an object."""

    name: str
    namespace: str
    uid: str
    resourceVersion: str
    generation: int
    creationTimestamp: str | None
    """Null in a bookmark, as older API servers write it."""
    deletionTimestamp: str
    labels: dict[str, str]
    annotations: dict[str, str]
    ownerReferences: list[Json]
    finalizers: list[str]
    managedFields: list[ManagedFieldsEntry]


class Condition(TypedDict, total=False):
    """A condition of any object."""

    type: str
    status: str
    reason: str
    message: str
    lastTransitionTime: str
    observedGeneration: int


class ContainerStateWaiting(TypedDict, total=False):
    """Why a container has not started yet."""

    reason: str
    message: str


class ContainerStateTerminated(TypedDict, total=False):
    """How a container ended."""

    exitCode: int
    reason: str
    message: str


class ContainerState(TypedDict, total=False):
    """The state of a container. At most one of these is set; none while it runs."""

    waiting: ContainerStateWaiting
    terminated: ContainerStateTerminated


class ContainerStatus(TypedDict, total=False):
    """The status of a container."""

    name: str
    state: ContainerState
    lastState: ContainerState


class PodSpec(TypedDict, total=False):
    """The spec of a pod."""

    nodeName: str | None


class PodStatus(TypedDict, total=False):
    """The status of a pod."""

    phase: str
    reason: str
    message: str
    podIP: str
    hostIP: str
    conditions: list[Condition]
    initContainerStatuses: list[ContainerStatus]
    containerStatuses: list[ContainerStatus]


class Pod(TypedDict, total=False):
    """A pod, as the cache keeps it."""

    metadata: ObjectMeta
    spec: PodSpec
    status: PodStatus


class PodTemplate(TypedDict, total=False):
    """The template of a Deployment's pods."""

    metadata: ObjectMeta
    spec: dict[str, Any]


class DeploymentSpec(TypedDict, total=False):
    """The spec of a Deployment."""

    replicas: int
    progressDeadlineSeconds: int
    template: PodTemplate


class DeploymentStatus(TypedDict, total=False):
    """The status of a Deployment."""

    observedGeneration: int
    replicas: int
    updatedReplicas: int
    readyReplicas: int
    availableReplicas: int
    conditions: list[Condition]


class Deployment(TypedDict, total=False):
    """A Deployment."""

    apiVersion: str
    kind: str
    metadata: ObjectMeta
    spec: DeploymentSpec
    status: DeploymentStatus


class ScaleTargetRef(TypedDict, total=False):
    """What an autoscaler scales."""

    apiVersion: str
    kind: str
    name: str


class HorizontalPodAutoscalerSpec(TypedDict, total=False):
    """The spec of an autoscaler."""

    scaleTargetRef: ScaleTargetRef


class HorizontalPodAutoscalerStatus(TypedDict, total=False):
    """The status of an autoscaler."""

    conditions: list[Condition]


class HorizontalPodAutoscaler(TypedDict, total=False):
    """An autoscaler."""

    apiVersion: str
    kind: str
    metadata: ObjectMeta
    spec: HorizontalPodAutoscalerSpec
    status: HorizontalPodAutoscalerStatus


class ScaledObjectStatus(TypedDict, total=False):
    """The status of a ScaledObject of KEDA."""

    conditions: list[Condition]


class ScaledObject(TypedDict, total=False):
    """A ScaledObject of KEDA."""

    apiVersion: str
    kind: str
    metadata: ObjectMeta
    status: ScaledObjectStatus


class CertificateStatus(TypedDict, total=False):
    """The status of a Certificate of cert-manager."""

    conditions: list[Condition]


class Certificate(TypedDict, total=False):
    """A Certificate of cert-manager."""

    metadata: ObjectMeta
    status: CertificateStatus


class RevisionData(TypedDict, total=False):
    """What the operator stores in a ControllerRevision."""

    inputs: Json
    template: Json
    backend: Json
