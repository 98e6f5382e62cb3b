"""`spec.monitoring`: objects for the Prometheus operator and for Grafana."""

from pydantic import Field

from tts_operator.api.dashboard import Dashboard
from tts_operator.api.schema import INT32, ApiModel, Labels, rule, rules


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
    max_p99_milliseconds: int = Field(1200, ge=1, le=600000, json_schema_extra=INT32)
    """Threshold of the alert TTSServiceSlow: it fires if 1 % of the requests take longer, in milliseconds. Raise it if
    your clients send long texts."""


class Monitoring(ApiModel):
    """Metrics, alerts, and a dashboard."""

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
