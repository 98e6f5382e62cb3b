"""`spec.rollout` and `spec.disruption`: how pods are replaced, and how many may be away."""

from typing import Literal

from pydantic import Field

from tts_operator.api.schema import ApiModel, IntOrPercent, rule, rules


class Rollout(ApiModel):
    """How a change of model, image or settings reaches the pods."""

    model_config = {
        "json_schema_extra": rules(
            rule(
                "!(string(self.maxSurge) in ['0', '0%'] && string(self.maxUnavailable) in ['0', '0%'])",
                "rollout.maxSurge and rollout.maxUnavailable cannot both be 0: nothing could ever be replaced; "
                "set maxSurge: 1",
            ),
        )
    }

    strategy: Literal["Rolling"] = "Rolling"
    """How pods are replaced. Rolling: some at a time, an old one only after a new one is ready."""
    max_surge: IntOrPercent = 1
    """Pods, or share of the replicas, that may run above the wanted count during a rollout."""
    max_unavailable: IntOrPercent = 0
    """Pods, or share of the replicas, that may be missing during a rollout. With 1, and
    maxSurge 0, an old pod stops before its successor starts."""
    progress_deadline_seconds: int = Field(600, ge=10, le=86400)
    """Seconds without progress after which a rollout counts as failed (Stalled)."""
    revision_history_limit: int = Field(10, ge=0, le=100)
    """Old revisions that are kept: ControllerRevisions and ReplicaSets."""


class Disruption(ApiModel):
    """How many pods a drain of nodes may take away at once (PodDisruptionBudget)."""

    model_config = {
        "json_schema_extra": rules(
            rule(
                "!(has(self.minAvailable) && has(self.maxUnavailable))",
                "set either disruption.minAvailable or disruption.maxUnavailable, not both",
            ),
            rule(
                "!(has(self.maxUnavailable) && string(self.maxUnavailable) in ['0', '0%'])"
                " && !(has(self.minAvailable) && string(self.minAvailable) == '100%')",
                "this disruption budget would block every drain of a node: set disruption.maxUnavailable: 1",
            ),
        )
    }

    min_available: IntOrPercent | None = None
    """Pods, or share of them, that must stay available during a drain."""
    max_unavailable: IntOrPercent | None = None
    """Pods, or share of them, that may be away. Without either field it is 1."""
