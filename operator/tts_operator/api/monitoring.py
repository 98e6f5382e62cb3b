"""`spec.monitoring`: what the Prometheus operator is told."""

from pydantic import Field

from tts_operator.api.schema import ApiModel, StringMap


class PodMonitor(ApiModel):
    """A PodMonitor, by which the Prometheus operator scrapes `/metrics` of each pod."""

    enabled: bool = False
    """Whether there is one. Needs the Prometheus operator: without its CRDs the TTSService is Stalled."""
    interval_seconds: int = Field(30, ge=5, le=3600)
    """Seconds between two scrapes."""
    labels: StringMap = {}
    """Labels by which your Prometheus chooses its PodMonitors, such as release: prometheus."""


class PrometheusRule(ApiModel):
    """A PrometheusRule with alerts on what clients notice."""

    enabled: bool = False
    """Whether there is one. Needs the Prometheus operator: without its CRDs the TTSService is Stalled."""
    labels: StringMap = {}
    """Labels by which your Prometheus chooses its rules, such as release: prometheus."""


class Monitoring(ApiModel):
    """Metrics and alerts."""

    pod_monitor: PodMonitor = Field(default_factory=PodMonitor)
    prometheus_rule: PrometheusRule = Field(default_factory=PrometheusRule)
