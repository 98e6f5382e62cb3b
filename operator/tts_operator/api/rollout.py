"""`spec.rollout` and `spec.disruption`: how new revisions reach the pods, and how many pods may be away."""

from typing import Annotated, Literal

from pydantic import Field

from tts_operator.api.schema import ATOMIC, INT32, ApiModel, IntOrPercent, Percentage, Quantity, map_by, rule, rules

TEXTS_MAX = 10
"""So many texts a speech check may have."""
STEPS_MAX = 20
DEFAULT_ERROR_PERCENT = 1
"""A default of the schema would be stored in every object, and then count for more than the deprecated field."""


class CanaryStep(ApiModel):
    """A share of the traffic for the new revision, and for how long."""

    weight: int = Field(ge=1, le=100, json_schema_extra=INT32)
    """Percent of the traffic that goes to the new revision."""
    hold_seconds: int | None = Field(None, ge=0, le=604800, json_schema_extra=INT32)
    """Seconds that this step lasts. Left out, it lasts until somebody says `kubectl tts promote`."""


def _steps() -> list[CanaryStep]:
    return [CanaryStep(weight=10, hold_seconds=60), CanaryStep(weight=50, hold_seconds=60)]


class Canary(ApiModel):
    """A growing share of the traffic for the new revision.

    It is shared out by weights of the HTTPRoute, or of an Ingress whose class is nginx: a weight of 50 then takes half
    as many new pods as there are old ones. Else it is shared out by the number of pods, which costs more: 50 takes as
    many new pods as there are old ones, and 80, the most that is allowed then, four times as many.
    """

    model_config = {
        "json_schema_extra": rules(
            rule(
                "!has(self.steps) || (self.steps.map(s, s.weight).isSorted()"
                " && self.steps.all(a, self.steps.exists_one(b, b.weight == a.weight)))",
                "the weights of rollout.canary.steps must rise from step to step, as in 10, 50",
            ),
            rule(
                "!has(self.steps) || self.steps.all(s, s.weight < 100)",
                "a weight in rollout.canary.steps must be below 100: after the last step all traffic follows by itself",
            ),
        )
    }

    steps: list[CanaryStep] = Field(
        default_factory=_steps, min_length=1, max_length=STEPS_MAX, json_schema_extra=ATOMIC
    )
    """The steps, with rising weights. After the last one the new revision takes everything over."""


class BlueGreen(ApiModel):
    """A full second set of pods; then all traffic is switched at once."""

    promotion: Literal["Automatic", "Manual"] | None = None
    """When traffic is switched. Automatic, the default: as soon as the new set has passed its check. Manual: on
    `kubectl tts promote`; until then the Service with -candidate in its name leads to the new set."""
    auto_promote: bool | None = None
    """Deprecated: use promotion, which counts where both are set. autoPromote: false is promotion: Manual."""
    scale_down_delay_seconds: int = Field(30, ge=0, le=604800, json_schema_extra=INT32)
    """Seconds for which the old set is kept after the switch, so that a way back takes no time."""

    @property
    def is_manual(self) -> bool:
        """Whether the switch waits for `kubectl tts promote`."""
        return self.auto_promote is False if self.promotion is None else self.promotion == "Manual"


class SpeechCheck(ApiModel):
    """New pods must speak before clients reach them.

    The answer must come in time, and be speech: of a length that fits the text; no silence, no noise, not clipped, not
    cut off.
    """

    model_config = {
        "json_schema_extra": rules(
            rule(
                "self.enabled || !has(self.texts) || self.texts.size() == 0",
                "rollout.speechCheck.texts has no effect without rollout.speechCheck.enabled: true",
            ),
        )
    }

    enabled: bool = True
    """Whether new revisions are checked."""
    texts: list[Annotated[str, Field(min_length=1, max_length=500)]] = Field(
        [], max_length=TEXTS_MAX, json_schema_extra=ATOMIC
    )
    """What the new pods must speak. Left out, a few sentences in the language of the engine."""
    timeout_seconds: int = Field(10, ge=1, le=300, json_schema_extra=INT32)
    """Seconds within which each text must be spoken."""
    compare_with_stable: bool = False
    """Whether the pods that serve now speak the same texts too: then a new revision that is much slower, or of which
    length or loudness are far off, fails."""


class PrometheusQuery(ApiModel):
    """One figure, and its bound."""

    model_config = {
        "json_schema_extra": rules(
            rule(
                "has(self.max) || has(self.min)",
                "each query of rollout.analysis.prometheus needs max, min, or both: what a good answer is",
            ),
        )
    }

    name: str = Field(min_length=1, max_length=63)
    """What the figure is called in messages."""
    query: str = Field(min_length=1, max_length=2000)
    """A PromQL query whose answer is one number."""
    max: Quantity | None = None
    """Above this the new revision fails."""
    min: Quantity | None = None
    """Below this the new revision fails."""


class Prometheus(ApiModel):
    """A Prometheus server that is asked during a rollout."""

    url: str = Field(min_length=8, max_length=1024, pattern=r"^https?://[^\s]+$")
    """Its address, such as http://prometheus.monitoring:9090. The operator's policy must allow it."""
    queries: list[PrometheusQuery] = Field(min_length=1, max_length=10, json_schema_extra=map_by("name"))
    """What is asked, and what is a good answer. No two have the same name."""


class Analysis(ApiModel):
    """What is asked of the new pods while they serve clients, as read from their own metrics."""

    max_error_rate: Percentage | None = None
    """Percentage of the requests that may fail with 5xx, such as 0.1%; 1% if left out. Refusals for lack of capacity
    (503) do not count."""
    max_error_percent: int | None = Field(None, ge=0, le=100, json_schema_extra=INT32)
    """Deprecated: use maxErrorRate, which counts where both are set. maxErrorPercent: 2 is maxErrorRate: 2%."""
    max_p99_milliseconds: int = Field(3000, ge=1, le=600000, json_schema_extra=INT32)
    """Milliseconds within which 99 % of the requests must be answered. Where the old version has answered minRequests,
    the new one fails only if it also takes more than 1.5 times as long as that: long texts take long with any
    version."""
    min_requests: int = Field(20, ge=1, le=100000, json_schema_extra=INT32)
    """With fewer requests than these nothing is decided."""
    prometheus: Prometheus | None = None
    """Your own figures, from a Prometheus server."""

    @property
    def error_rate(self) -> float:
        """Part of the requests that may fail, 0 to 1."""
        if self.max_error_rate is not None:
            return float(self.max_error_rate.removesuffix("%")) / 100
        return (DEFAULT_ERROR_PERCENT if self.max_error_percent is None else self.max_error_percent) / 100


class Rollout(ApiModel):
    """How a change of model, image or settings reaches the pods."""

    model_config = {
        "json_schema_extra": rules(
            rule(
                "!(string(self.maxSurge) in ['0', '0%'] && string(self.maxUnavailable) in ['0', '0%'])",
                "rollout.maxSurge and rollout.maxUnavailable cannot both be 0: nothing could ever be replaced; "
                "set maxSurge: 1",
            ),
            rule(
                "!has(self.canary) || self.strategy == 'Canary'",
                "rollout.canary has no effect with this strategy: set rollout.strategy: Canary, or remove canary",
            ),
            rule(
                "!has(self.blueGreen) || self.strategy == 'BlueGreen'",
                "rollout.blueGreen has no effect with this strategy: set rollout.strategy: BlueGreen, or remove "
                "blueGreen",
            ),
        )
    }

    strategy: Literal["Rolling", "Canary", "BlueGreen"] = "Rolling"
    """Rolling: one new pod is checked, then pods are replaced some at a time. Canary: a second set of pods gets a
    growing share of the traffic. BlueGreen: a full second set, to which all traffic is switched at once."""
    max_surge: IntOrPercent = 1
    """Pods, or share of the replicas, that may run above the wanted count during a rollout."""
    max_unavailable: IntOrPercent = 0
    """Pods, or share of the replicas, that may be missing during a rollout. With 1, and
    maxSurge 0, an old pod stops before its successor starts."""
    progress_deadline_seconds: int = Field(600, ge=10, le=86400, json_schema_extra=INT32)
    """Seconds without progress after which a rollout counts as failed."""
    revision_history_limit: int = Field(10, ge=0, le=100, json_schema_extra=INT32)
    """Old revisions that are kept: ControllerRevisions and ReplicaSets."""
    paused: bool = False
    """Whether rollouts stay where they are: none begins, and none goes on. What fails is rolled back all the same."""
    failure_policy: Literal["Rollback", "Hold"] | None = None
    """What happens to a new revision that fails. Rollback, the default: the operator removes it. Hold: it stays where
    it is until `kubectl tts abort`, or another spec."""
    auto_rollback: bool | None = None
    """Deprecated: use failurePolicy, which counts where both are set. autoRollback: false is failurePolicy: Hold."""
    speech_check: SpeechCheck = Field(default_factory=SpeechCheck)
    analysis: Analysis = Field(default_factory=Analysis)
    canary: Canary | None = None
    """The steps of strategy Canary; left out, 10 % for a minute, then 50 % for a minute."""
    blue_green: BlueGreen | None = None
    """Details of strategy BlueGreen."""

    @property
    def rolls_back(self) -> bool:
        """Whether the operator removes a new revision that fails."""
        return self.auto_rollback is not False if self.failure_policy is None else self.failure_policy == "Rollback"


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
    """Pods, or share of them, that must stay available during a drain. It holds for the Deployment of the service's
    name; of a candidate, which may have fewer pods, one may be away."""
    max_unavailable: IntOrPercent | None = None
    """Pods, or share of them, that may be away. Without either field it is 1."""
