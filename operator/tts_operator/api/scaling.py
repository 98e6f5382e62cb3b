"""`spec.autoscaling`: a HorizontalPodAutoscaler, with the fields of autoscaling/v2.

Source: https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/horizontal-pod-autoscaler-v2/
"""

from typing import Literal

from pydantic import Field

from tts_operator.api.affinity import LabelSelector
from tts_operator.api.schema import ATOMIC, INT32, ApiModel, Quantity, rule, rules


class MetricTarget(ApiModel):
    """The value to keep."""

    type: Literal["Utilization", "Value", "AverageValue"]
    """Which of the fields is meant: Utilization averageUtilization, AverageValue averageValue, Value value."""
    average_utilization: int | None = Field(None, ge=1, json_schema_extra=INT32)
    """Percent of the request, as the mean of all pods."""
    average_value: Quantity | None = None
    """Mean of all pods."""
    value: Quantity | None = None
    """The value itself."""


class ResourceMetric(ApiModel):
    """CPU or memory of the pods."""

    name: Literal["cpu", "memory"]
    """Name of the resource: cpu or memory."""
    target: MetricTarget


class ContainerResourceMetric(ApiModel):
    """CPU or memory of one container of the pods."""

    name: Literal["cpu", "memory"]
    """Name of the resource: cpu or memory."""
    container: str = Field(min_length=1, max_length=63)
    """Name of the container; that of the model server is `server`."""
    target: MetricTarget


class MetricIdentifier(ApiModel):
    """A metric of the custom or external metrics API."""

    name: str = Field(min_length=1, max_length=253)
    """Name of the metric."""
    selector: LabelSelector | None = None
    """Which series, by their labels."""


class PodsMetric(ApiModel):
    """A metric that each pod has, such as tts_queue_seconds."""

    metric: MetricIdentifier
    target: MetricTarget


class ObjectReference(ApiModel):
    """An object of the namespace that a metric describes."""

    api_version: str | None = Field(None, max_length=253)
    """API version of the object."""
    kind: str = Field(min_length=1, max_length=63)
    """Kind of the object."""
    name: str = Field(min_length=1, max_length=253)
    """Name of the object."""


class ObjectMetric(ApiModel):
    """A metric of one object, such as the requests of an Ingress."""

    described_object: ObjectReference
    metric: MetricIdentifier
    target: MetricTarget


class ExternalMetric(ApiModel):
    """A metric from outside the cluster, such as the length of a queue."""

    metric: MetricIdentifier
    target: MetricTarget


class Metric(ApiModel):
    """One metric to scale by."""

    model_config = {
        "json_schema_extra": rules(
            rule(
                "(self.type == 'Resource') == has(self.resource)"
                " && (self.type == 'ContainerResource') == has(self.containerResource)"
                " && (self.type == 'Pods') == has(self.pods) && (self.type == 'Object') == has(self.object)"
                " && (self.type == 'External') == has(self.external)",
                "a metric of autoscaling.metrics has exactly the field that its type names: resource, "
                "containerResource, pods, object or external",
            ),
        )
    }

    type: Literal["Resource", "ContainerResource", "Pods", "Object", "External"]
    """Which of the fields below is set."""
    resource: ResourceMetric | None = None
    """CPU or memory of the pods."""
    container_resource: ContainerResourceMetric | None = None
    """CPU or memory of one container."""
    pods: PodsMetric | None = None
    """A metric that each pod has, such as tts_queue_seconds. Needs an adapter for custom metrics."""
    object: ObjectMetric | None = None
    """A metric of another object, such as the requests of an Ingress. Needs an adapter for custom metrics."""
    external: ExternalMetric | None = None
    """A metric from outside the cluster, such as the length of a queue. Needs an adapter for external metrics."""


class ScalingPolicy(ApiModel):
    """How much may change in a period."""

    type: Literal["Pods", "Percent"]
    """Whether value counts pods, or percent of them."""
    value: int = Field(ge=1, json_schema_extra=INT32)
    """How much may change."""
    period_seconds: int = Field(ge=1, le=1800, json_schema_extra=INT32)
    """In how many seconds."""


class ScalingRules(ApiModel):
    """How fast the number of pods may change in one direction."""

    stabilization_window_seconds: int | None = Field(None, ge=0, le=3600, json_schema_extra=INT32)
    """Of the recommendations of so many seconds the lowest counts on the way up, the highest on the way down. Left out,
    0 up and 300 down."""
    select_policy: Literal["Max", "Min", "Disabled"] | None = None
    """Which of several policies counts; Disabled turns this direction off. Max if left out."""
    policies: list[ScalingPolicy] = Field([], max_length=8, json_schema_extra=ATOMIC)
    """How much may change in a period: at most `value` pods, or percent of them, within `periodSeconds`."""
    tolerance: Quantity | None = None
    """By which share a metric may differ from its target before anything changes; 0.1 if left out. Needs
    Kubernetes 1.35."""


class Behavior(ApiModel):
    """How fast pods come and go. Kubernetes' own: up at once, down after five minutes."""

    scale_up: ScalingRules | None = None
    """How pods are added."""
    scale_down: ScalingRules | None = None
    """How pods are removed."""


class Autoscaling(ApiModel):
    """As many pods as the load needs (HorizontalPodAutoscaler). Needs metrics-server in the cluster."""

    model_config = {
        "json_schema_extra": rules(
            rule(
                "self.minReplicas <= self.maxReplicas",
                "autoscaling.minReplicas must not be above autoscaling.maxReplicas: lower the one or raise the other",
            ),
            rule(
                "self.targetCPUUtilizationPercentage > 0 || (has(self.metrics) && self.metrics.size() > 0)",
                "autoscaling.targetCPUUtilizationPercentage: 0 turns CPU off, so autoscaling.metrics must name another "
                "metric to scale by",
            ),
        )
    }

    min_replicas: int = Field(2, ge=1, le=1000, json_schema_extra=INT32)
    """Fewest pods."""
    max_replicas: int = Field(10, ge=1, le=1000, json_schema_extra=INT32)
    """Most pods."""
    target_cpu_utilization_percentage: int = Field(
        70, ge=0, le=1000, alias="targetCPUUtilizationPercentage", json_schema_extra=INT32
    )
    """CPU use to keep, as the mean of all pods, in percent of resources.requests.cpu. 0 turns it off. It is
    ignored if metrics has an entry of type Resource that is named cpu."""
    metrics: list[Metric] = Field([], max_length=16, json_schema_extra=ATOMIC)
    """Further metrics: memory, or your own. The one that asks for the most pods counts."""
    behavior: Behavior | None = None
    """How fast pods come and go. Left out, it is as Kubernetes has it: up at once, down after five minutes."""
