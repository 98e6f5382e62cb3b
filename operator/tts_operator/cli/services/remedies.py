"""What to do about the reason of a condition. docs/operations.md has the same, with more words."""

from __future__ import annotations

from collections.abc import Callable

from tts_operator.cli.view import Service

REMEDIES = {
    "ScaledToZero": "set spec.replicas to 1 or more to have it serve again",
    "Creating": "wait; creation takes less than a second",
    "PodsNotReady": "wait for the model to load; if no pod can be created, a quota or a policy rejects them",
    "Unschedulable": "add nodes in the zones that lack capacity, lower spec.resources.requests, or set "
    "spec.placement.zoneSpread.whenUnsatisfiable: ScheduleAnyway",
    "NodeUnreachable": "check it with `kubectl describe node`; Kubernetes replaces the pod once it gives the node up",
    "ImagePullBackOff": "check spec.image.repository, tag, and pullSecrets",
    "ErrImageNeverPull": "load the image onto the nodes, or set spec.image.pullPolicy: IfNotPresent",
    "InvalidImageName": "correct spec.image.repository, tag, or digest",
    "OOMKilled": "raise spec.resources.limits.memory, or lower spec.server.cache.sizeMiB",
    "Error": "read its output; exit code 3: the model failed to load, 137: killed, usually for its memory use",
    "CreateContainerConfigError": "create the Secret that the message names, or correct its name in the spec",
    "VolumeNotBound": "set spec.model.storage.persistentVolumeClaim.storageClassName to a class that makes volumes "
    "with that access mode, or use spec.model.storage.emptyDir",
    "ProgressDeadlineExceeded": "correct the spec, as the message says why the pods fail; old pods keep serving",
    "RoutePending": "check that the Gateway in spec.gateway.parentRefs exists and that its controller is running",
    "RouteNotAccepted": "correct spec.gateway.hostnames: no listener matches, or none allows this namespace",
    "CertificateNotReady": "run `kubectl describe certificate`: cert-manager has not issued it yet",
    "GatewayAPIMissing": "install the Gateway API, or remove spec.gateway",
    "CertManagerMissing": "install cert-manager, or remove spec.ingress.tls.issuerRef",
    "PrometheusOperatorMissing": "install the Prometheus operator, or remove the field that the message names",
    "FeatureDisabled": "remove the field that the message names, or ask the administrator to enable the feature",
    "PolicyViolation": "correct the field that the message names, or ask a cluster administrator to allow it",
    "NameTaken": "delete the foreign object that the message names, or give the TTSService another name",
    "Forbidden": "read the message: a quota, an admission policy, or missing rights; the operator tries again",
    "Invalid": "correct the field that the message names",
    "InvalidSpec": "apply the CRD of the operator's version, then this object again",
    "ApiServerError": "check the API server; the operator retries at least once a minute",
    "Paused": "set spec.paused to false to apply the spec",
    "FailedGetResourceMetric": "check that metrics-server is installed: `kubectl tts doctor`",
    "NoWorkers": "wait until the first revision with spec.jobs is stable",
}
"""By the reason of a condition."""
JUDGED = ("Stalled", "Ready", "WorkloadReady", "RouteReady", "CertificateReady", "AutoscalingReady", "JobsReady")
SPOKEN_FOR = frozenset({"RolledBack", "Undone", "RolloutInProgress", "RolloutPaused"})
"""Reasons for which the state of the rollout already says what to do."""


def remedies(service: Service, then: Callable[..., str]) -> list[str]:
    """Say what to do about each condition that is not as it should be."""
    if service.seen < 0:
        doctor = then("doctor").replace(f" {service.name}", "", 1)
        return [f"no operator has processed this service: {doctor} says whether one runs and serves this namespace"]
    reasons = dict.fromkeys(_wrong(service))
    return [f"{reason}: {REMEDIES[reason]}" for reason in reasons if reason in REMEDIES]


def _wrong(service: Service) -> list[str]:
    found = [(kind, service.conditions[kind]) for kind in JUDGED if kind in service.conditions]
    return [
        each.reason
        for kind, each in found
        if each.status == ("True" if kind == "Stalled" else "False") and each.reason not in SPOKEN_FOR
    ]
