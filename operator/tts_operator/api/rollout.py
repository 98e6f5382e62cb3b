"""`spec.rollout` and `spec.disruption`: how changes are rolled out, and how many pods may be unavailable."""

from typing import Annotated, Literal

from pydantic import Field

from tts_operator.api.schema import ATOMIC, INT32, ApiModel, IntOrPercent, Percentage, Quantity, map_by, rule, rules

TEXTS_MAX = 10
"""Maximum number of texts of a speech check."""
STEPS_MAX = 20
DEFAULT_ERROR_PERCENT = 1
"""Not a default of the schema, which would be stored in every object, and take precedence over the deprecated field."""


class CanaryStep(ApiModel):
    """A share of the traffic for the new revision, and its duration."""

    weight: int = Field(ge=1, le=100, json_schema_extra=INT32)
    """Percentage of traffic for the new revision."""
    hold_seconds: int | None = Field(None, ge=0, le=604800, json_schema_extra=INT32)
    """Seconds that this step lasts. Without it, the step lasts until `kubectl tts promote`."""


def _steps() -> list[CanaryStep]:
    return [CanaryStep(weight=10, hold_seconds=60), CanaryStep(weight=50, hold_seconds=60)]


class Canary(ApiModel):
    """A growing share of the traffic for the new revision.

    With an HTTPRoute, or an Ingress of class nginx, the route splits the traffic: a weight of 50 needs half as many new
    pods as old ones. Otherwise, the number of pods splits it, which costs more: 50 needs as many new pods as old ones,
    and 80, the maximum in that case, needs four times as many.
    """

    model_config = {
        "json_schema_extra": rules(
            rule(
                "!has(self.steps) || (self.steps.map(s, s.weight).isSorted()"
                " && self.steps.all(a, self.steps.exists_one(b, b.weight == a.weight)))",
                "the weights in rollout.canary.steps must increase from step to step, for example 10, 50",
            ),
            rule(
                "!has(self.steps) || self.steps.all(s, s.weight < 100)",
                "a weight in rollout.canary.steps must be below 100: after the last step, all traffic follows",
            ),
        )
    }

    steps: list[CanaryStep] = Field(
        default_factory=_steps, min_length=1, max_length=STEPS_MAX, json_schema_extra=ATOMIC
    )
    """The steps, with increasing weights. After the last one, the new revision takes over all traffic."""


class BlueGreen(ApiModel):
    """A full second set of pods, to which all traffic is switched at once."""

    promotion: Literal["Automatic", "Manual"] | None = None
    """When traffic is switched. Automatic, the default: as soon as the new set has passed its check. Manual: on
    `kubectl tts promote`; until then the Service with -candidate in its name leads to the new set."""
    auto_promote: bool | None = None
    """Deprecated: use promotion, which counts where both are set. autoPromote: false is promotion: Manual."""
    scale_down_delay_seconds: int = Field(30, ge=0, le=604800, json_schema_extra=INT32)
    """Seconds that the old set is kept after the switch, so that a rollback is immediate."""

    @property
    def is_manual(self) -> bool:
        """Whether the switch waits for `kubectl tts promote`."""
        return self.auto_promote is False if self.promotion is None else self.promotion == "Manual"


class SpeechCheck(ApiModel):
    """A check that new pods produce speech before clients reach them.

    The response must arrive in time, and be speech: of a plausible length for the text, not silence or noise, not
    clipped, and not cut off.
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
    """Whether to check new revisions."""
    texts: list[Annotated[str, Field(min_length=1, max_length=500)]] = Field(
        [], max_length=TEXTS_MAX, json_schema_extra=ATOMIC
    )
    """Texts that the new pods must speak. Default: a few sentences in the language of the model."""
    timeout_seconds: int = Field(10, ge=1, le=300, json_schema_extra=INT32)
    """Time limit for each text, in seconds."""
    compare_with_stable: bool = False
    """Whether to compare with the stable pods. Then, a new revision fails if it is much slower, or if its audio differs
    much in length or loudness."""


class PrometheusQuery(ApiModel):
    """A query, and the limits of its result."""

    model_config = {
        "json_schema_extra": rules(
            rule(
                "has(self.max) || has(self.min)",
                "each query of rollout.analysis.prometheus needs max, min, or both, the range of acceptable results",
            ),
        )
    }

    name: str = Field(min_length=1, max_length=63)
    """Name of the query in messages."""
    query: str = Field(min_length=1, max_length=2000)
    """A PromQL query that returns one number."""
    max: Quantity | None = None
    """The new revision fails if the result is higher."""
    min: Quantity | None = None
    """The new revision fails if the result is lower."""


class Prometheus(ApiModel):
    """A Prometheus server that is queried during a rollout."""

    url: str = Field(min_length=8, max_length=1024, pattern=r"^https?://[^\s]+$")
    """URL of the server, such as http://prometheus.monitoring:9090. The operator's policy must allow it."""
    queries: list[PrometheusQuery] = Field(min_length=1, max_length=10, json_schema_extra=map_by("name"))
    """The queries, with unique names."""


class Analysis(ApiModel):
    """Limits for the new pods while they serve clients, checked against their own metrics."""

    max_error_rate: Percentage | None = None
    """Maximum percentage of requests that fail with 5xx, such as 0.1%. Default: 1%. Refusals for lack of capacity (503)
    do not count."""
    max_error_percent: int | None = Field(None, ge=0, le=100, json_schema_extra=INT32)
    """Deprecated: use maxErrorRate, which takes precedence. maxErrorPercent: 2 is maxErrorRate: 2%."""
    max_p99_milliseconds: int = Field(3000, ge=1, le=600000, json_schema_extra=INT32)
    """Time within which 99 % of the requests must be answered, in milliseconds. If the stable pods have answered
    minRequests, the new ones fail only if they are also more than 1.5 times slower: long texts take long with any
    revision."""
    min_requests: int = Field(20, ge=1, le=100000, json_schema_extra=INT32)
    """Minimum number of requests to judge the new pods by."""
    prometheus: Prometheus | None = None
    """Queries to your own Prometheus server."""

    @property
    def error_rate(self) -> float:
        """Maximum ratio of failed requests, 0 to 1."""
        if self.max_error_rate is not None:
            return float(self.max_error_rate.removesuffix("%")) / 100
        return (DEFAULT_ERROR_PERCENT if self.max_error_percent is None else self.max_error_percent) / 100


class Rollout(ApiModel):
    """How changes of the model, image, or settings are rolled out."""

    model_config = {
        "json_schema_extra": rules(
            rule(
                "!(string(self.maxSurge) in ['0', '0%'] && string(self.maxUnavailable) in ['0', '0%'])",
                "rollout.maxSurge and rollout.maxUnavailable cannot both be 0, or no pod could ever be replaced: "
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
    """Rolling: one new pod is checked, then pods are replaced a few at a time. Canary: a second set of pods receives a
    growing share of the traffic. BlueGreen: all traffic is switched to a full second set at once."""
    max_surge: IntOrPercent = 1
    """Number or percentage of additional pods during a rollout."""
    max_unavailable: IntOrPercent = 0
    """Number or percentage of pods that may be unavailable during a rollout. With 1, and maxSurge: 0, an old pod stops
    before its replacement starts."""
    progress_deadline_seconds: int = Field(600, ge=10, le=86400, json_schema_extra=INT32)
    """Seconds without progress until a rollout fails."""
    revision_history_limit: int = Field(10, ge=0, le=100, json_schema_extra=INT32)
    """Number of old revisions to keep (ControllerRevisions and ReplicaSets)."""
    paused: bool = False
    """Whether rollouts are paused: none starts or continues. A failing revision is still rolled back."""
    failure_policy: Literal["Rollback", "Hold"] | None = None
    """What happens to a new revision that fails. Rollback, the default: the operator removes it. Hold: it stays where
    it is until `kubectl tts abort`, or another spec."""
    auto_rollback: bool | None = None
    """Deprecated: use failurePolicy, which counts where both are set. autoRollback: false is failurePolicy: Hold."""
    speech_check: SpeechCheck = Field(default_factory=SpeechCheck)
    analysis: Analysis = Field(default_factory=Analysis)
    canary: Canary | None = None
    """Settings of strategy Canary. Default: 10 % for one minute, then 50 % for one minute."""
    blue_green: BlueGreen | None = None
    """Settings of strategy BlueGreen."""

    @property
    def rolls_back(self) -> bool:
        """Whether the operator removes a new revision that fails."""
        return self.auto_rollback is not False if self.failure_policy is None else self.failure_policy == "Rollback"


class Disruption(ApiModel):
    """How many pods a node drain may evict at once (PodDisruptionBudget)."""

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
    """Number or percentage of pods that must stay available during a drain. It applies to the stable Deployment. Of a
    candidate, which may have fewer pods, one may be unavailable."""
    max_unavailable: IntOrPercent | None = None
    """Number or percentage of pods that may be unavailable. Default: 1, if minAvailable is not set either."""
