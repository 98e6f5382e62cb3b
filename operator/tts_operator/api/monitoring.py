"""`spec.monitoring`: objects for the Prometheus operator and for Grafana, and the objectives that alerts watch."""

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from tts_operator.api.dashboard import Dashboard
from tts_operator.api.schema import INT32, ApiModel, Labels, rule, rules

FIRST_AUDIO_MILLISECONDS = (100, 200, 400, 600, 800, 1000, 1200, 1600, 2000, 3000, 5000, 10000, 30000)
"""The server counts requests by these times (buckets of `tts_time_to_first_audio_seconds`), and by no others."""
DEFAULT_FIRST_AUDIO = 1200

_FIRST_AUDIO_ADVICE = (
    "the server does not count requests by this time: write one of "
    f"{', '.join(map(str, FIRST_AUDIO_MILLISECONDS[:-1]))}, or {FIRST_AUDIO_MILLISECONDS[-1]}"
)


def _counted(milliseconds: int) -> int:
    """Raise ValueError unless the server counts requests by this time."""
    if milliseconds not in FIRST_AUDIO_MILLISECONDS:
        raise ValueError(_FIRST_AUDIO_ADVICE)
    return milliseconds


FirstAudioMilliseconds = Annotated[
    int,
    Field(
        ge=FIRST_AUDIO_MILLISECONDS[0],
        le=FIRST_AUDIO_MILLISECONDS[-1],
        json_schema_extra=INT32 | rules(rule(f"self in {list(FIRST_AUDIO_MILLISECONDS)}", _FIRST_AUDIO_ADVICE)),
    ),
    AfterValidator(_counted),
]
_TARGET_ADVICE = (
    "write a percentage from 95% to 99.99%, such as 99.9%: below 95%, no outage uses up the allowed failures fast "
    "enough for an alert, and 100% allows none"
)


def _checked(target: str) -> str:
    """Raise ValueError unless it is such a percentage."""
    if not re.fullmatch(r"[0-9]{2}([.][0-9]{1,3})?%", target) or not 95 <= float(target[:-1]) <= 99.99:  # noqa: PLR2004
        raise ValueError(_TARGET_ADVICE)
    return target


Target = Annotated[
    str,
    Field(
        max_length=7,
        json_schema_extra=rules(
            rule(
                "self.matches('^[0-9]{2}([.][0-9]{1,3})?%$') && double(self.replace('%', '')) >= 95.0"
                " && double(self.replace('%', '')) <= 99.99",
                _TARGET_ADVICE,
            )
        ),
    ),
    AfterValidator(_checked),
]
"""A share of requests, from 95% to 99.99%."""


class AvailabilityObjective(ApiModel):
    """The share of speech requests, over 30 days, that the service answers."""

    target: Target = "99.9%"
    """Percentage of the speech requests that must be answered, from 95% to 99.99%. Any 5xx response is a failure, and
    so is a response that breaks off. That includes 503: a client that is refused for lack of capacity gets no speech.
    4xx responses do not count at all: the client can prevent them."""


class LatencyObjective(ApiModel):
    """The share of speech requests, over 30 days, whose first audio comes in time."""

    target: Target = "99%"
    """Percentage of the answered speech requests whose first audio must come in time, from 95% to 99.99%."""
    first_audio_milliseconds: FirstAudioMilliseconds = DEFAULT_FIRST_AUDIO
    """Time within which the first audio must come, in milliseconds, measured from the request's headers: 100, 200, 400,
    600, 800, 1000, 1200, 1600, 2000, 3000, 5000, 10000, or 30000. A response that is not streamed has its first audio
    when all of it is made, so raise this if your clients send long texts."""


class Objectives(ApiModel):
    """Service level objectives over 30 days.

    The alerts of monitoring.prometheusRule fire when the service uses up the failures that they allow (the error
    budget) too fast.
    """

    availability: AvailabilityObjective = Field(default_factory=AvailabilityObjective)
    latency: LatencyObjective = Field(default_factory=LatencyObjective)


class PodMonitor(ApiModel):
    """A PodMonitor, with which the Prometheus operator scrapes `/metrics` of each pod."""

    enabled: bool = False
    """Whether to create it. Needs the Prometheus operator; without its CRDs, the TTSService is Stalled."""
    interval_seconds: int = Field(30, ge=5, le=3600, json_schema_extra=INT32)
    """Interval between scrapes, in seconds."""
    labels: Labels = {}
    """Labels by which your Prometheus selects PodMonitors, such as release: prometheus."""


class PrometheusRule(ApiModel):
    """A PrometheusRule with alerts for what clients notice."""

    enabled: bool = False
    """Whether to create it. Needs the Prometheus operator; without its CRDs, the TTSService is Stalled."""
    labels: Labels = {}
    """Labels by which your Prometheus selects rules, such as release: prometheus."""
    max_p99_milliseconds: int | None = Field(None, ge=1, le=600000, json_schema_extra=INT32)
    """Deprecated: use objectives.latency.firstAudioMilliseconds, which takes precedence unless it is 1200, its default.
    Rounded up to one of the values that are possible there."""


class Monitoring(ApiModel):
    """Metrics, objectives, alerts, and a dashboard."""

    model_config = {
        "json_schema_extra": rules(
            rule(
                "!self.prometheusRule.enabled || self.podMonitor.enabled",
                "the alerts of monitoring.prometheusRule need the metrics that a PodMonitor collects: "
                "set monitoring.podMonitor.enabled: true",
            ),
        )
    }

    pod_monitor: PodMonitor = Field(default_factory=PodMonitor)
    prometheus_rule: PrometheusRule = Field(default_factory=PrometheusRule)
    dashboard: Dashboard = Field(default_factory=Dashboard)
    objectives: Objectives = Field(default_factory=Objectives)

    @property
    def first_audio_milliseconds(self) -> int:
        """The latency that the objective asks for: one of `FIRST_AUDIO_MILLISECONDS`."""
        asked, former = self.objectives.latency.first_audio_milliseconds, self.prometheus_rule.max_p99_milliseconds
        if asked != DEFAULT_FIRST_AUDIO or former is None:
            return asked
        return next((each for each in FIRST_AUDIO_MILLISECONDS if each >= former), FIRST_AUDIO_MILLISECONDS[-1])
