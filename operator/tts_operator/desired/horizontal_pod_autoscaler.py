"""The HorizontalPodAutoscaler."""

from tts_operator.api import TTSService
from tts_operator.api.scaling import Autoscaling
from tts_operator.desired.identity import candidate_name, manifest
from tts_operator.json_object import Json


def horizontal_pod_autoscaler(service: TTSService, asked: Autoscaling, *, of_candidate: bool) -> Json:
    """The autoscaler of the Deployment that receives the traffic."""
    name = candidate_name(service) if of_candidate else service.name
    spec: Json = {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
        "minReplicas": asked.min_replicas,
        "maxReplicas": asked.max_replicas,
        "metrics": _metrics(asked),
    }
    if asked.behavior is not None:
        spec["behavior"] = asked.behavior.model_dump(by_alias=True, exclude_none=True, exclude_defaults=True)
    return manifest(service, "autoscaling/v2", "HorizontalPodAutoscaler", spec=spec)


def _metrics(asked: Autoscaling) -> list[Json]:
    """The metrics: CPU first, unless it is disabled, or one of the user's own metrics covers it."""
    metrics = [metric.model_dump(by_alias=True, exclude_none=True, exclude_defaults=True) for metric in asked.metrics]
    own = any(metric.resource is not None and metric.resource.name == "cpu" for metric in asked.metrics)
    if asked.target_cpu_utilization_percentage and not own:
        target = {"type": "Utilization", "averageUtilization": asked.target_cpu_utilization_percentage}
        metrics.insert(0, {"type": "Resource", "resource": {"name": "cpu", "target": target}})
    return metrics
