"""`spec.monitoring`: what the Prometheus operator is told."""

from pydantic import Field

from tts_operator.api.schema import INT32, ApiModel, Labels, rule, rules


class PodMonitor(ApiModel):
    """A PodMonitor, by which the Prometheus operator scrapes `/metrics` of each pod."""

    enabled: bool = False
    """Whether there is one. Needs the Prometheus operator: without its CRDs the TTSService is Stalled."""
    interval_seconds: int = Field(30, ge=5, le=3600, json_schema_extra=INT32)
    """Seconds between two scrapes."""
    labels: Labels = {}
    """Labels by which your Prometheus chooses its PodMonitors, such as release: prometheus."""


class PrometheusRule(ApiModel):
    """A PrometheusRule with alerts on what clients notice."""

    enabled: bool = False
    """Whether there is one. Needs the Prometheus operator: without its CRDs the TTSService is Stalled."""
    labels: Labels = {}
    """Labels by which your Prometheus chooses its rules, such as release: prometheus."""
    max_p99_milliseconds: int = Field(1200, ge=1, le=600000, json_schema_extra=INT32)
    """The alert TTSServiceSlow is raised where 1 % of the requests take longer than so many milliseconds. Long texts
    take longer: raise it where your clients send them."""


class Monitoring(ApiModel):
    """Metrics and alerts."""

    model_config = {
        "json_schema_extra": rules(
            rule(
                "!self.prometheusRule.enabled || self.podMonitor.enabled",
                "the alerts of monitoring.prometheusRule are about figures that a PodMonitor gathers: "
                "set monitoring.podMonitor.enabled: true",
            ),
        )
    }

    pod_monitor: PodMonitor = Field(default_factory=PodMonitor)
    prometheus_rule: PrometheusRule = Field(default_factory=PrometheusRule)
