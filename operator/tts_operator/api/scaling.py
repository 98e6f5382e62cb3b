"""`spec.autoscaling`: a HorizontalPodAutoscaler, with the fields of autoscaling/v2.

Source: https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/horizontal-pod-autoscaler-v2/
"""

from typing import Literal

from pydantic import Field

from tts_operator.api.affinity import LabelSelector
from tts_operator.api.schema import ATOMIC, INT32, ApiModel, Quantity, rule, rules


class MetricTarget(ApiModel):
    """The target value of a metric."""

    type: Literal["Utilization", "Value", "AverageValue"]
    """Which field to use: averageUtilization (Utilization), averageValue (AverageValue), or value (Value)."""
    average_utilization: int | None = Field(None, ge=1, json_schema_extra=INT32)
    """Average over all pods, in percent of the request."""
    average_value: Quantity | None = None
    """Average over all pods."""
    value: Quantity | None = None
    """Absolute value."""


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
    """Name of the container. The model server's is `server`."""
    target: MetricTarget


class MetricIdentifier(ApiModel):
    """A metric of the custom or external metrics API."""

    name: str = Field(min_length=1, max_length=253)
    """Name of the metric."""
    selector: LabelSelector | None = None
    """Selects series by their labels."""


class PodsMetric(ApiModel):
    """A metric of each pod, such as tts_queue_seconds."""

    metric: MetricIdentifier
    target: MetricTarget


class ObjectReference(ApiModel):
    """An object in the namespace that a metric describes."""

    api_version: str | None = Field(None, max_length=253)
    """API version of the object."""
    kind: str = Field(min_length=1, max_length=63)
    """Kind of the object."""
    name: str = Field(min_length=1, max_length=253)
    """Name of the object."""


class ObjectMetric(ApiModel):
    """A metric of an object, such as the requests of an Ingress."""

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
                "each metric in autoscaling.metrics must set exactly the field that its type names: resource, "
                "containerResource, pods, object, or external",
            ),
        )
    }

    type: Literal["Resource", "ContainerResource", "Pods", "Object", "External"]
    """Which of the fields below applies."""
    resource: ResourceMetric | None = None
    """CPU or memory of the pods."""
    container_resource: ContainerResourceMetric | None = None
    """CPU or memory of one container."""
    pods: PodsMetric | None = None
    """A metric of each pod, such as tts_queue_seconds. Needs an adapter for custom metrics."""
    object: ObjectMetric | None = None
    """A metric of another object, such as the requests of an Ingress. Needs an adapter for custom metrics."""
    external: ExternalMetric | None = None
    """A metric from outside the cluster, such as the length of a queue. Needs an adapter for external metrics."""


class ScalingPolicy(ApiModel):
    """A limit on changes within a period."""

    type: Literal["Pods", "Percent"]
    """Whether the value is a number of pods, or a percentage."""
    value: int = Field(ge=1, json_schema_extra=INT32)
    """Maximum change within the period."""
    period_seconds: int = Field(ge=1, le=1800, json_schema_extra=INT32)
    """Length of the period, in seconds."""


class ScalingRules(ApiModel):
    """Limits on how fast the number of pods changes in one direction."""

    stabilization_window_seconds: int | None = Field(None, ge=0, le=3600, json_schema_extra=INT32)
    """Window of past recommendations, in seconds: scaling up uses the lowest of them, scaling down the highest.
    Default: 0 up and 300 down."""
    select_policy: Literal["Max", "Min", "Disabled"] | None = None
    """Which of several policies applies. Disabled turns off this direction. Default: Max."""
    policies: list[ScalingPolicy] = Field([], max_length=8, json_schema_extra=ATOMIC)
    """Limits on changes within a period: at most `value` pods, or percent of them, per `periodSeconds`."""
    tolerance: Quantity | None = None
    """Relative deviation of a metric from its target that is ignored. Default: 0.1. Needs Kubernetes 1.35."""


class Behavior(ApiModel):
    """How fast the number of pods changes. Kubernetes' default: up immediately, down after five minutes."""

    scale_up: ScalingRules | None = None
    """Limits on scaling up."""
    scale_down: ScalingRules | None = None
    """Limits on scaling down."""


class Autoscaling(ApiModel):
    """Scales the number of pods with the load (HorizontalPodAutoscaler). Needs metrics-server in the cluster."""

    model_config = {
        "json_schema_extra": rules(
            rule(
                "self.minReplicas <= self.maxReplicas",
                "autoscaling.minReplicas must not exceed autoscaling.maxReplicas: lower the one, or raise the other",
            ),
            rule(
                "self.targetCPUUtilizationPercentage > 0 || (has(self.metrics) && self.metrics.size() > 0)",
                "autoscaling.targetCPUUtilizationPercentage: 0 disables scaling by CPU, so autoscaling.metrics must "
                "name another metric",
            ),
        )
    }

    min_replicas: int = Field(2, ge=1, le=1000, json_schema_extra=INT32)
    """Minimum number of pods."""
    max_replicas: int = Field(10, ge=1, le=1000, json_schema_extra=INT32)
    """Maximum number of pods."""
    target_cpu_utilization_percentage: int = Field(
        70, ge=0, le=1000, alias="targetCPUUtilizationPercentage", json_schema_extra=INT32
    )
    """Target CPU utilization, as the average over all pods in percent of resources.requests.cpu. 0 disables it. Ignored
    if metrics has an entry of type Resource with the name cpu."""
    metrics: list[Metric] = Field([], max_length=16, json_schema_extra=ATOMIC)
    """Additional metrics, such as memory or your own. The one that needs the most pods decides."""
    behavior: Behavior | None = None
    """How fast the number of pods changes. Kubernetes' default: up immediately, down after five minutes."""
