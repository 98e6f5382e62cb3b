"""The Deployment of the model server."""

from tts_operator.api import TTSService
from tts_operator.desired.identity import candidate_labels, candidate_name, manifest, selector_labels
from tts_operator.desired.pod import as_candidate
from tts_operator.desired.workloads import Candidate, DesiredWorkloads
from tts_operator.json_object import Json

REVISION_ANNOTATION = "tts-operator.io/revision"
"""On a Deployment: the revision (ControllerRevision) that it was last given."""


def deployment(service: TTSService, workloads: DesiredWorkloads) -> Json:
    """The Deployment: a new pod must be ready before an old one goes, unless the spec says stop-first.

    Without `replicas` it says nothing of them: an autoscaler has set them, and they must not fall back to one.
    """
    rollout = service.spec.rollout
    spec = _spec(service, workloads.revision.template, workloads.replicas, selector_labels(service))
    if workloads.halted:
        spec["paused"] = True
    if workloads.one_pod:
        # A pod counts as available only after so long, and the next one is not replaced before.
        spec["minReadySeconds"] = rollout.progress_deadline_seconds - 1
    return manifest(
        service, "apps/v1", "Deployment", annotations={REVISION_ANNOTATION: workloads.revision.name}, spec=spec
    )


def candidate_deployment(service: TTSService, candidate: Candidate) -> Json:
    """The Deployment of a candidate: the same pods, under labels of their own."""
    template = as_candidate(service, candidate.revision.template)
    spec = _spec(service, template, candidate.replicas, candidate_labels(service))
    return manifest(
        service,
        "apps/v1",
        "Deployment",
        name=candidate_name(service),
        annotations={REVISION_ANNOTATION: candidate.revision.name},
        spec=spec,
    )


def _spec(service: TTSService, template: Json, replicas: int | None, selector: dict[str, str]) -> Json:
    rollout = service.spec.rollout
    spec: Json = {
        "selector": {"matchLabels": selector},
        "strategy": {
            "type": "RollingUpdate",
            "rollingUpdate": {"maxSurge": rollout.max_surge, "maxUnavailable": rollout.max_unavailable},
        },
        "progressDeadlineSeconds": rollout.progress_deadline_seconds,
        "revisionHistoryLimit": rollout.revision_history_limit,
        "template": template,
    }
    return spec if replicas is None else {"replicas": replicas, **spec}


def initial_replicas(service: TTSService) -> int:
    """How many pods a new service begins with."""
    autoscaling = service.spec.autoscaling
    return service.spec.replicas if autoscaling is None else autoscaling.min_replicas
