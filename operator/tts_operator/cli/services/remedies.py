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
    "ServersNotReady": "read what they wait for: `kubectl tts logs`, and what the backend says: `--backend`",
    "NoWorkers": "wait until the first revision with spec.jobs is stable",
}
"""By the reason of a condition."""
OF_BACKEND = {
    "Unschedulable": "add nodes with what spec.backend needs, such as GPUs with their device plugin, lower its "
    "resources, or set nodeSelector and tolerations in its placement",
    "ImagePullBackOff": "check image of spec.backend's container, and spec.image.pullSecrets",
    "ErrImageNeverPull": "load the image onto the nodes, or set imagePullPolicy: IfNotPresent of spec.backend",
    "InvalidImageName": "correct image of spec.backend's container",
    "OOMKilled": "raise resources.limits.memory of spec.backend's container, or choose a smaller model",
    "Error": "read its output with `kubectl tts logs --backend`",
    "CreateContainerConfigError": "create the Secret or ConfigMap that the message names, or correct its name in env "
    "of spec.backend's container; if the image runs as root, set runAsUser there",
    "VolumeNotBound": "create the claim, or correct its name in spec.backend.volumes",
    "PodsNotReady": "wait for the model to load; `kubectl tts logs --backend` shows how far it is",
}
"""Likewise, where the backend fails, and not the server."""
BACKEND = "BackendReady"
JUDGED = (
    "Stalled", "Ready", "WorkloadReady", BACKEND, "RouteReady", "CertificateReady", "AutoscalingReady", "JobsReady",
)  # fmt: skip
SPOKEN_FOR = frozenset({"RolledBack", "Undone", "RolloutInProgress", "RolloutPaused"})
"""Reasons for which the state of the rollout already says what to do."""


def remedies(service: Service, then: Callable[..., str]) -> list[str]:
    """Say what to do about each condition that is not as it should be, and about a pod that holds up a rollout."""
    if service.seen < 0:
        doctor = then("doctor").replace(f" {service.name}", "", 1)
        return [f"no operator has processed this service: {doctor} says whether one runs and serves this namespace"]
    reasons = dict.fromkeys([*_wrong(service), *([service.failure_reason] if service.going_on else [])])
    known = {**REMEDIES, **_of_backend(service)}
    return [f"{reason}: {known[reason]}" for reason in reasons if reason in known]


def _of_backend(service: Service) -> dict[str, str]:
    """The remedy of a backend that fails: the other conditions have the same reason."""
    found = service.conditions.get(BACKEND)
    if found is None or found.status != "False" or not found.message.startswith("backend: "):
        return {}
    return {found.reason: OF_BACKEND[found.reason]} if found.reason in OF_BACKEND else {}


def _wrong(service: Service) -> list[str]:
    found = [(kind, service.conditions[kind]) for kind in JUDGED if kind in service.conditions]
    return [
        each.reason
        for kind, each in found
        if each.status == ("True" if kind == "Stalled" else "False") and each.reason not in SPOKEN_FOR
    ]
