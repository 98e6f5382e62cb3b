"""`spec.placement.affinity`, with the fields of core/v1, so that misspelled ones are rejected.

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
    """How to compare the label with the values."""
    values: Values = []
    """Values for In and NotIn."""


class LabelSelector(ApiModel):
    """Selects objects by their labels. An empty selector matches all objects."""

    match_labels: Labels = {}
    """Labels that an object must have."""
    match_expressions: list[LabelRequirement] = Field([], max_length=16, json_schema_extra=ATOMIC)
    """Conditions that the object's labels must meet."""


class NodeRequirement(ApiModel):
    """A condition on one label or field of a node."""

    key: LabelKey
    """Name of the label or field."""
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"]
    """How to compare it with the values."""
    values: Values = []
    """Values to compare with. Gt and Lt take one number."""


class NodeSelectorTerm(ApiModel):
    """Conditions on a node, all of which must be met."""

    match_expressions: list[NodeRequirement] = Field([], max_length=16, json_schema_extra=ATOMIC)
    """Conditions on the node's labels."""
    match_fields: list[NodeRequirement] = Field([], max_length=16, json_schema_extra=ATOMIC)
    """Conditions on the node's fields, such as metadata.name."""


class NodeSelector(ApiModel):
    """Terms for nodes. A node must match at least one of them."""

    node_selector_terms: list[NodeSelectorTerm] = Field(min_length=1, max_length=16, json_schema_extra=ATOMIC)
    """Terms for nodes. A node must match at least one of them."""


class PreferredNodes(ApiModel):
    """Preferred nodes."""

    weight: Weight
    """Weight of the preference, from 1 to 100."""
    preference: NodeSelectorTerm
    """Which nodes to prefer."""


class NodeAffinity(ApiModel):
    """Which nodes the pods must or should run on."""

    required_during_scheduling_ignored_during_execution: NodeSelector | None = None
    """Nodes that the pods must run on."""
    preferred_during_scheduling_ignored_during_execution: list[PreferredNodes] = Field(
        [], max_length=16, json_schema_extra=ATOMIC
    )
    """Preferred nodes."""


class PodAffinityTerm(ApiModel):
    """Other pods to be close to, or away from."""

    label_selector: LabelSelector | None = None
    """Which pods, by label."""
    topology_key: LabelKey
    """Node label that defines what close means, such as kubernetes.io/hostname."""
    namespaces: list[Annotated[str, Field(max_length=63)]] = Field([], max_length=16, json_schema_extra=ATOMIC)
    """Namespaces of these pods, in addition to namespaceSelector. Default: the namespace of the TTSService."""
    namespace_selector: LabelSelector | None = None
    """Namespaces of these pods, by label."""


class WeightedPodAffinityTerm(ApiModel):
    """A preference for other pods."""

    weight: Weight
    """Weight of the preference, from 1 to 100."""
    pod_affinity_term: PodAffinityTerm
    """Which pods to prefer."""


class PodAffinity(ApiModel):
    """Which other pods the pods must or should be close to; in podAntiAffinity: away from."""

    required_during_scheduling_ignored_during_execution: list[PodAffinityTerm] = Field(
        [], max_length=16, json_schema_extra=ATOMIC
    )
    """Terms that must be met; otherwise, the pod is not scheduled."""
    preferred_during_scheduling_ignored_during_execution: list[WeightedPodAffinityTerm] = Field(
        [], max_length=16, json_schema_extra=ATOMIC
    )
    """Terms that should be met, each with a weight."""


class Affinity(ApiModel):
    """Affinity to nodes and other pods, as in core/v1. For the spread over zones, use placement.zoneSpread."""

    node_affinity: NodeAffinity | None = None
    """Which nodes the pods must or should run on."""
    pod_affinity: PodAffinity | None = None
    """Which other pods to be close to."""
    pod_anti_affinity: PodAffinity | None = None
    """Which other pods to be away from."""
