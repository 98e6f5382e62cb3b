"""The workers of jobs: pods that speak long texts and serve no clients."""

from typing import Any

from tts_operator.api import TTSService
from tts_operator.api.jobs import Workers
from tts_operator.desired.deployment import REVISION_ANNOTATION
from tts_operator.desired.identity import PART_OF_LABEL, manifest, selector_labels, worker_labels, worker_name
from tts_operator.desired.pod.jobs import as_work, has_workers
from tts_operator.desired.pod.placement import PLACED, placed
from tts_operator.desired.pod.spread import constraints
from tts_operator.desired.revision import Revision
from tts_operator.json_object import Json

SHARE_AT_ONCE = "25%"
"""Workers that may be replaced at once, and started in addition. Their jobs go on elsewhere."""


def workers_of(service: TTSService, revision: Revision) -> Workers | None:
    """The workers to run for a revision; None if it has none.

    A revision from before `spec.jobs.kafka` puts no jobs into Kafka, and has no settings for workers.
    """
    jobs = service.spec.jobs
    if jobs is None or jobs.kafka is None or not has_workers(revision.template):
        return None
    return jobs.workers or Workers()


def worker_deployment(service: TTSService, revision: Revision, workers: Workers, replicas: int | None) -> Json:
    """The Deployment of the workers. Only their number, resources, and placement are not those of the revision.

    If `replicas` is None, the manifest omits the field, because an autoscaler owns it.
    """
    rollout = service.spec.rollout
    return manifest(
        service,
        "apps/v1",
        "Deployment",
        name=worker_name(service),
        annotations={REVISION_ANNOTATION: revision.name},
        spec={
            **({} if replicas is None else {"replicas": replicas}),
            "selector": {"matchLabels": worker_labels(service)},
            "strategy": {
                "type": "RollingUpdate",
                "rollingUpdate": {"maxSurge": SHARE_AT_ONCE, "maxUnavailable": SHARE_AT_ONCE},
            },
            "progressDeadlineSeconds": rollout.progress_deadline_seconds,
            "revisionHistoryLimit": rollout.revision_history_limit,
            "template": _template(service, revision.template, workers),
        },
    )


def _template(service: TTSService, template: Json, workers: Workers) -> Json:
    """Return the template of the servers as that of workers.

    A change here restarts the workers of every service when the operator is upgraded, which costs no client anything.
    """
    metadata, pod = template["metadata"], template["spec"]
    # Without this label, no Service selects a worker: see `serving_pods`.
    labels = {name: value for name, value in metadata["labels"].items() if name != PART_OF_LABEL}
    containers, spread = pod.get("containers"), pod.get("topologySpreadConstraints", [])
    resources = workers.resources.model_dump(by_alias=True) if workers.resources is not None else None
    if workers.placement is not None:
        kept = {name: value for name, value in pod.items() if name not in PLACED}
        pod = {**kept, **placed(workers.placement)}
        # Softly, unless the spec says otherwise: a worker that waits for a zone reads nothing.
        asked = workers.placement.zone_spread.when_unsatisfiable or "ScheduleAnyway"
        spread = constraints(selector_labels(service), workers.placement.zone_spread, asked)
    if isinstance(containers, list):  # podTemplate may contain anything
        pod = {**pod, "containers": [as_work(each, resources) for each in containers]}
    if isinstance(spread, list):
        spread = [_among_workers(service, each) for each in spread]
    return {
        "metadata": {**metadata, "labels": {**labels, **worker_labels(service)}},
        "spec": {**pod, "topologySpreadConstraints": spread},
    }


def _among_workers(service: TTSService, constraint: Any) -> Any:
    """Change a spread constraint on the stable pods to the workers."""
    if not isinstance(constraint, dict) or constraint.get("labelSelector") != {"matchLabels": selector_labels(service)}:
        return constraint
    return {**constraint, "labelSelector": {"matchLabels": worker_labels(service)}}
