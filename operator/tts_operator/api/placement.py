"""`spec.placement`: where the pods may run, and how they are spread."""

from typing import Literal

from pydantic import Field

from tts_operator.api.affinity import Affinity
from tts_operator.api.schema import ATOMIC, INT32, INT64, ApiModel, LabelKey, Labels, rule, rules


class ZoneSpread(ApiModel):
    """How the pods are spread, so that the loss of one zone leaves the service standing."""

    max_skew: int = Field(1, ge=1, le=100, json_schema_extra=INT32)
    """By how many pods of the service two zones may differ."""
    topology_key: LabelKey = "topology.kubernetes.io/zone"
    """The node label that names the zone."""
    when_unsatisfiable: Literal["DoNotSchedule", "ScheduleAnyway"] | None = None
    """Whether a pod that would break the spread waits (DoNotSchedule), or runs all the same (ScheduleAnyway). If left
    out, it waits where the nodes that match nodeSelector are in two or more zones, and runs all the same elsewhere: as
    the nodes are when the pods' revision is made. status.zoneSpread says which is in force."""


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
    """Taint key; empty matches all keys, and needs operator Exists."""
    operator: Literal["Exists", "Equal"] | None = None
    """How key and value are compared; Equal if left out."""
    value: str | None = Field(None, max_length=63)
    """Taint value that operator Equal matches."""
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None
    """Taint effect to match; all if left out."""
    toleration_seconds: int | None = Field(None, json_schema_extra=INT64)
    """With NoExecute: how long a pod stays on a node once it has the taint. Seconds; for ever if left out."""


class Placement(ApiModel):
    """Where the pods may run."""

    zone_spread: ZoneSpread = Field(default_factory=ZoneSpread)
    node_selector: Labels = {}
    """Labels that a node must have."""
    affinity: Affinity | None = None
    """Further rules about nodes, and about being near or far from other pods, as in core/v1."""
    tolerations: list[Toleration] = Field([], max_length=32, json_schema_extra=ATOMIC)
    """Taints that the pods tolerate."""
    priority_class_name: str | None = Field(None, min_length=1, max_length=253)
    """PriorityClass of the pods."""
    runtime_class_name: str | None = Field(None, min_length=1, max_length=253)
    """RuntimeClass of the pods, such as gvisor or nvidia."""
    outage_tolerance_seconds: int = Field(5, ge=0, le=3600, json_schema_extra=INT32)
    """Seconds after which the pods of a node that is lost are replaced elsewhere, counted from when Kubernetes has
    noticed it. Its own default is 300."""
