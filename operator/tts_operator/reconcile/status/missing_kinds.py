"""Children that cannot be created: the cluster lacks the kind, or it is disabled in this operator."""

from collections.abc import Collection

from tts_operator.api import TTSService
from tts_operator.api.rollout import Disruption
from tts_operator.kube.resources import POD_DISRUPTION_BUDGETS
from tts_operator.reconcile.observed.snapshot import Observed
from tts_operator.reconcile.status.conditions import ConditionState

INSTALL = {
    "HTTPRoute": ("GatewayAPIMissing", "the Gateway API", "spec.gateway"),
    "Certificate": ("CertManagerMissing", "cert-manager", "spec.ingress.tls.issuerRef"),
    "PodMonitor": ("PrometheusOperatorMissing", "the Prometheus operator", "spec.monitoring.podMonitor"),
    "PrometheusRule": ("PrometheusOperatorMissing", "the Prometheus operator", "spec.monitoring.prometheusRule"),
}
"""For each optional kind: the reason, what to install, and the field to remove instead."""
FEATURES = {
    "Ingress": ("ingress", "spec.ingress"),
    "HTTPRoute": ("gateway", "spec.gateway"),
    "Certificate": ("certManager", "spec.ingress.tls.issuerRef"),
    "PodMonitor": ("monitoring", "spec.monitoring.podMonitor"),
    "PrometheusRule": ("monitoring", "spec.monitoring.prometheusRule"),
    "HorizontalPodAutoscaler": ("autoscaling", "spec.autoscaling and jobs.workers.autoscaling"),
    "NetworkPolicy": ("networkPolicy", "spec.networkPolicy"),
    "PersistentVolumeClaim": ("persistentVolumeClaims", "persistentVolumeClaim in model.storage and jobs.storage"),
    "PodDisruptionBudget": ("disruptionBudgets", "spec.disruption"),
    "ConfigMap": ("dashboards", "spec.monitoring.dashboard"),
}
"""For each kind that can be disabled: the Helm value below `features`, and the field to remove."""
CONDITION_OF_KIND = {
    "Ingress": "RouteReady",
    "HTTPRoute": "RouteReady",
    "Certificate": "CertificateReady",
    "HorizontalPodAutoscaler": "AutoscalingReady",
}


def unserved(observed: Observed, missing: Collection[str]) -> dict[str, ConditionState]:
    """Report the `missing` kinds that the cluster lacks."""
    off = _off(observed)
    return {kind: _missing(kind) for kind in missing if kind not in off}


def disabled(service: TTSService, observed: Observed, missing: Collection[str]) -> dict[str, ConditionState]:
    """Report the `missing` kinds that are disabled in this operator."""
    off = _off(observed)
    if service.spec.disruption == Disruption():  # the default budget is not an explicit request
        off = off - {POD_DISRUPTION_BUDGETS.kind}
    return {kind: _disabled(kind) for kind in missing if kind in off}


def _off(observed: Observed) -> set[str]:
    return {kind for _, kind in observed.without}


def _missing(kind: str) -> ConditionState:
    reason, product, field = INSTALL[kind]
    text = f"the cluster does not have the kind {kind}: install {product}, or remove {field}"
    return ConditionState(ready=False, reason=reason, message=text, stalled=True)


def _disabled(kind: str) -> ConditionState:
    feature, field = FEATURES[kind]
    text = (
        f"this operator may not create a {kind}: remove {field}, or ask the cluster administrator to install the "
        f"operator with the Helm value features.{feature}: true. Everything else is applied"
    )
    return ConditionState(ready=False, reason="FeatureDisabled", message=text, stalled=True)
