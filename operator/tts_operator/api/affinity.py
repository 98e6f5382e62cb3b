"""`spec.placement.affinity`, field by field as in core/v1, so that a misspelt one is refused.

Source: https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/#scheduling
"""

from typing import Annotated, Literal

from pydantic import Field

from tts_operator.api.schema import ATOMIC, INT32, LABEL_VALUE_MAX, ApiModel, LabelKey, Labels

Weight = Annotated[int, Field(ge=1, le=100, json_schema_extra=INT32)]
Values = Annotated[
    list[Annotated[str, Field(max_length=LABEL_VALUE_MAX)]], Field(max_length=64, json_schema_extra=ATOMIC)
]


class LabelRequirement(ApiModel):
    """A condition on one label."""

    key: LabelKey
    """Name of the label."""
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist"]
    """How the label and the values are compared."""
    values: Values = []
    """Values that In and NotIn compare with."""


class LabelSelector(ApiModel):
    """Which objects are meant, by their labels. An empty selector means all of them."""

    match_labels: Labels = {}
    """Labels that an object must have."""
    match_expressions: list[LabelRequirement] = Field([], max_length=16, json_schema_extra=ATOMIC)
    """Conditions that the labels of an object must meet."""


class NodeRequirement(ApiModel):
    """A condition on one label or field of a node."""

    key: LabelKey
    """Name of the label, or of the field."""
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"]
    """How it is compared with the values."""
    values: Values = []
    """Values to compare with; one number for Gt and Lt."""


class NodeSelectorTerm(ApiModel):
    """Conditions of which a node must meet all."""

    match_expressions: list[NodeRequirement] = Field([], max_length=16, json_schema_extra=ATOMIC)
    """Conditions on the labels of the node."""
    match_fields: list[NodeRequirement] = Field([], max_length=16, json_schema_extra=ATOMIC)
    """Conditions on fields of the node, such as metadata.name."""


class NodeSelector(ApiModel):
    """Terms of which a node must meet one."""

    node_selector_terms: list[NodeSelectorTerm] = Field(min_length=1, max_length=16, json_schema_extra=ATOMIC)
    """Terms of which a node must meet one."""


class PreferredNodes(ApiModel):
    """Nodes that are preferred."""

    weight: Weight
    """How much it counts, from 1 to 100."""
    preference: NodeSelectorTerm
    """Which nodes."""


class NodeAffinity(ApiModel):
    """Which nodes the pods may or should run on."""

    required_during_scheduling_ignored_during_execution: NodeSelector | None = None
    """Nodes that the pods may run on; no others."""
    preferred_during_scheduling_ignored_during_execution: list[PreferredNodes] = Field(
        [], max_length=16, json_schema_extra=ATOMIC
    )
    """Nodes that are preferred."""


class PodAffinityTerm(ApiModel):
    """Other pods to be near to, or far from."""

    label_selector: LabelSelector | None = None
    """Which pods, by their labels."""
    topology_key: LabelKey
    """The node label that says what near means, such as kubernetes.io/hostname."""
    namespaces: list[Annotated[str, Field(max_length=63)]] = Field([], max_length=16, json_schema_extra=ATOMIC)
    """Namespaces of those pods, beside those of namespaceSelector; without either, that of the TTSService."""
    namespace_selector: LabelSelector | None = None
    """Namespaces of those pods, by their labels."""


class WeightedPodAffinityTerm(ApiModel):
    """Other pods whose nearness is preferred."""

    weight: Weight
    """How much it counts, from 1 to 100."""
    pod_affinity_term: PodAffinityTerm
    """Which pods."""


class PodAffinity(ApiModel):
    """Which other pods the pods must or should be near to; in podAntiAffinity: far from."""

    required_during_scheduling_ignored_during_execution: list[PodAffinityTerm] = Field(
        [], max_length=16, json_schema_extra=ATOMIC
    )
    """Terms that must be met, or the pod is not scheduled."""
    preferred_during_scheduling_ignored_during_execution: list[WeightedPodAffinityTerm] = Field(
        [], max_length=16, json_schema_extra=ATOMIC
    )
    """Terms that should be met, each with a weight."""


class Affinity(ApiModel):
    """Rules about nodes and other pods, as in core/v1. The spread over zones is in placement.zoneSpread."""

    node_affinity: NodeAffinity | None = None
    """Which nodes the pods may or should run on."""
    pod_affinity: PodAffinity | None = None
    """Which other pods to be near to."""
    pod_anti_affinity: PodAffinity | None = None
    """Which other pods to be far from."""
