"""The Deployment of the model server."""

from tts_operator.api import Json, TTSService
from tts_operator.desired.identity import manifest, selector_labels
from tts_operator.desired.pod import pod_template


def deployment(service: TTSService, default_image: str) -> Json:
    """The Deployment: a new pod must be ready before an old one goes, unless the spec says stop-first."""
    rollout = service.spec.rollout
    return manifest(
        service,
        "apps/v1",
        "Deployment",
        spec={
            "replicas": service.spec.replicas,
            "selector": {"matchLabels": selector_labels(service)},
            "strategy": {
                "type": "RollingUpdate",
                "rollingUpdate": {"maxSurge": rollout.max_surge, "maxUnavailable": rollout.max_unavailable},
            },
            "progressDeadlineSeconds": rollout.progress_deadline_seconds,
            "revisionHistoryLimit": rollout.revision_history_limit,
            "template": pod_template(service, default_image),
        },
    )
