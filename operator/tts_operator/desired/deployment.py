"""The Deployments of the model server."""

from tts_operator.api import TTSService
from tts_operator.desired.identity import candidate_labels, candidate_name, manifest, selector_labels
from tts_operator.desired.pod.template import as_candidate
from tts_operator.desired.workloads import Candidate, DesiredWorkloads
from tts_operator.json_object import Json

REVISION_ANNOTATION = "tts-operator.io/revision"
"""On a Deployment: the name of the ControllerRevision that was last applied to it."""


def deployment(service: TTSService, workloads: DesiredWorkloads) -> Json:
    """The stable Deployment. A new pod must be ready before an old one stops, unless the spec sets maxUnavailable.

    If `replicas` is None, the manifest omits the field, because an autoscaler owns it.
    """
    rollout = service.spec.rollout
    spec = _spec(service, workloads.revision.template, workloads.replicas, selector_labels(service))
    if workloads.halted:
        spec["paused"] = True
    if workloads.one_pod:
        # A pod counts as available only after this time, and only then is the next one replaced.
        spec["minReadySeconds"] = rollout.progress_deadline_seconds - 1
    return manifest(
        service, "apps/v1", "Deployment", annotations={REVISION_ANNOTATION: workloads.revision.name}, spec=spec
    )


def candidate_deployment(service: TTSService, candidate: Candidate) -> Json:
    """The candidate's Deployment: the same pods, with their own labels."""
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
    """The initial number of pods."""
    autoscaling = service.spec.autoscaling
    return service.spec.replicas if autoscaling is None else autoscaling.min_replicas
