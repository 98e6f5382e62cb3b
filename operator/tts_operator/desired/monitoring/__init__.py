"""Objects for the Prometheus operator: where to scrape, and when to alert.

Source: https://prometheus-operator.dev/docs/api-reference/api/
"""

from tts_operator.desired.monitoring.pod_monitor import pod_monitor, worker_pod_monitor
from tts_operator.desired.monitoring.prometheus_rule import prometheus_rule

__all__ = ["pod_monitor", "prometheus_rule", "worker_pod_monitor"]
