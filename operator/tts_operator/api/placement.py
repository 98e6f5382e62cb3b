"""`spec.placement`: where the pods run, and how they are spread."""

from typing import Literal

from pydantic import Field

from tts_operator.api.affinity import Affinity
from tts_operator.api.schema import ATOMIC, INT32, INT64, ApiModel, LabelKey, Labels, rule, rules


class ZoneSpread(ApiModel):
    """How the pods are spread over zones, so that the service survives the loss of a zone."""

    max_skew: int = Field(1, ge=1, le=100, json_schema_extra=INT32)
    """Maximum difference between the numbers of pods in two zones."""
    topology_key: LabelKey = "topology.kubernetes.io/zone"
    """Node label with the zone's name."""
    when_unsatisfiable: Literal["DoNotSchedule", "ScheduleAnyway"] | None = None
    """Whether a pod that would violate the spread waits (DoNotSchedule) or runs anyway (ScheduleAnyway). Default:
    DoNotSchedule if the nodes that match nodeSelector are in two or more zones when the revision is created, otherwise
    ScheduleAnyway. status.zoneSpread shows which applies."""


class Toleration(ApiModel):
    """A taint that the pods tolerate, as in core/v1."""

    model_config = {
        "json_schema_extra": rules(
            rule(
                "!has(self.value) || !has(self.operator) || self.operator == 'Equal'",
                "a toleration with operator Exists takes no value: remove value, or set operator: Equal",
            ),
            rule(
                "has(self.key) || (has(self.operator) && self.operator == 'Exists')",
                "a toleration without key needs operator: Exists, and then tolerates every taint",
            ),
            rule(
                "!has(self.tolerationSeconds) || (has(self.effect) && self.effect == 'NoExecute')",
                "tolerationSeconds needs effect: NoExecute",
            ),
        )
    }

    key: str | None = Field(None, max_length=317)
    """Taint key. Without it, the operator must be Exists, which matches all keys."""
    operator: Literal["Exists", "Equal"] | None = None
    """How to compare key and value. Default: Equal."""
    value: str | None = Field(None, max_length=63)
    """Taint value for the operator Equal."""
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None
    """Taint effect to match. Default: all effects."""
    toleration_seconds: int | None = Field(None, json_schema_extra=INT64)
    """With NoExecute: seconds that a pod stays on a node after the taint is added. Default: forever."""


class Placement(ApiModel):
    """Where the pods run."""

    zone_spread: ZoneSpread = Field(default_factory=ZoneSpread)
    node_selector: Labels = {}
    """Labels that a node must have."""
    affinity: Affinity | None = None
    """Affinity to nodes and other pods, as in core/v1."""
    tolerations: list[Toleration] = Field([], max_length=32, json_schema_extra=ATOMIC)
    """Taints that the pods tolerate."""
    priority_class_name: str | None = Field(None, min_length=1, max_length=253)
    """PriorityClass of the pods."""
    runtime_class_name: str | None = Field(None, min_length=1, max_length=253)
    """RuntimeClass of the pods, such as gvisor or nvidia."""
    outage_tolerance_seconds: int = Field(5, ge=0, le=3600, json_schema_extra=INT32)
    """Seconds until the pods on a lost node are replaced elsewhere, after Kubernetes has noticed the loss. The
    Kubernetes default is 300."""
