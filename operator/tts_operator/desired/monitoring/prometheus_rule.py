"""The PrometheusRule: recording rules and alerts of one service."""

from tts_operator.api import TTSService
from tts_operator.desired.identity import manifest
from tts_operator.desired.monitoring.objectives import INTERVAL_SECONDS, objective_alerts, objective_records
from tts_operator.desired.monitoring.states import serving_alerts, state_alerts, state_records
from tts_operator.json_object import Json


def prometheus_rule(service: TTSService, runbooks: str) -> Json:
    """The PrometheusRule. `runbooks` is the address of a runbook, with {alert} for its name; empty if unknown."""
    asked = service.spec.monitoring.prometheus_rule
    serves = service.spec.replicas > 0 or service.spec.autoscaling is not None
    alerts = [
        *(serving_alerts(service) if serves else ()),
        *(objective_alerts(service) if serves else ()),
        *state_alerts(service),
    ]
    group = {
        "name": f"tts-operator.{service.namespace}.{service.name}",
        "interval": f"{INTERVAL_SECONDS}s",
        "rules": [
            *state_records(service),
            *objective_records(service),
            *(alert.rule(service, runbooks) for alert in alerts),
        ],
    }
    return manifest(
        service, "monitoring.coreos.com/v1", "PrometheusRule", labels=asked.labels, spec={"groups": [group]}
    )
