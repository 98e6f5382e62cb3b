"""The Deployment of the model server."""

from tts_operator.api import Json, TTSService
from tts_operator.desired.identity import manifest, selector_labels


def deployment(service: TTSService, template: Json, replicas: int | None) -> Json:
    """The Deployment: a new pod must be ready before an old one goes, unless the spec says stop-first.

    Without `replicas` it says nothing of them: an autoscaler has set them, and they must not fall back to one.
    """
    rollout = service.spec.rollout
    spec: Json = {
        "selector": {"matchLabels": selector_labels(service)},
        "strategy": {
            "type": "RollingUpdate",
            "rollingUpdate": {"maxSurge": rollout.max_surge, "maxUnavailable": rollout.max_unavailable},
        },
        "progressDeadlineSeconds": rollout.progress_deadline_seconds,
        "revisionHistoryLimit": rollout.revision_history_limit,
        "template": template,
    }
    if replicas is not None:
        spec = {"replicas": replicas, **spec}
    return manifest(service, "apps/v1", "Deployment", spec=spec)


def initial_replicas(service: TTSService) -> int:
    """How many pods a new service begins with."""
    autoscaling = service.spec.autoscaling
    return service.spec.replicas if autoscaling is None else autoscaling.min_replicas
