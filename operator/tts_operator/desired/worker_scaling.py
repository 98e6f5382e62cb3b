"""What scales the workers of jobs: a ScaledObject where the cluster has KEDA, otherwise a HorizontalPodAutoscaler.

Source: https://keda.sh/docs/latest/reference/scaledobject-spec/
"""

from dataclasses import dataclass

from tts_operator.api import TTSService
from tts_operator.api.jobs import WorkerAutoscaling, Workers
from tts_operator.desired.identity import manifest, worker_name
from tts_operator.desired.service import internal_url
from tts_operator.json_object import Json

METRIC = "tts_job_waiting_seconds"
"""The servers' metric of what waits, in seconds of one thread. Each server knows all of it."""
_POLL_SECONDS = 5
_CPU_PERCENT = 70


@dataclass(frozen=True, kw_only=True)
class WorkerScale:
    """How the number of workers comes about."""

    replicas: int | None
    """What to write into their Deployment. None: an autoscaler owns it."""
    by_keda: bool
    """Whether KEDA scales them, if the spec asks for autoscaling."""


def initial_workers(workers: Workers) -> int:
    """The initial number of workers.

    At least one with autoscaling, because it is a worker that finds out whether brokers and storage can be used.
    """
    return workers.replicas if workers.autoscaling is None else max(1, workers.autoscaling.min_replicas)


def worker_autoscaler(service: TTSService, asked: WorkerAutoscaling, *, by_keda: bool) -> Json:
    """The ScaledObject or HorizontalPodAutoscaler."""
    return _scaled_object(service, asked) if by_keda else _by_cpu(service, asked)


def _scaled_object(service: TTSService, asked: WorkerAutoscaling) -> Json:
    """KEDA asks a server for the metric, so it needs neither Prometheus nor what logs in at the brokers.

    A task counts in the metric until it is done, so the workers are not scaled to zero while one of them is busy. There
    is no `fallback`: while the metric cannot be read, the number of workers stays as it is, and KEDA says so.
    """
    trigger = {
        "type": "metrics-api",
        "metricType": "AverageValue",
        "metadata": {
            "url": f"{internal_url(service)}/metrics",
            "format": "prometheus",
            "valueLocation": METRIC,
            "targetValue": str(asked.target_waiting_seconds),
        },
    }
    return manifest(
        service,
        "keda.sh/v1alpha1",
        "ScaledObject",
        name=worker_name(service),
        spec={
            "scaleTargetRef": _target(service),
            "minReplicaCount": asked.min_replicas,
            "maxReplicaCount": asked.max_replicas,
            "pollingInterval": _POLL_SECONDS,
            "cooldownPeriod": asked.cooldown_seconds,
            "initialCooldownPeriod": asked.cooldown_seconds,
            "advanced": {"horizontalPodAutoscalerConfig": {"behavior": _behavior(asked)}},
            "triggers": [trigger],
        },
    )


def _by_cpu(service: TTSService, asked: WorkerAutoscaling) -> Json:
    """Workers use all their CPU while there is work."""
    target = {"type": "Utilization", "averageUtilization": _CPU_PERCENT}
    return manifest(
        service,
        "autoscaling/v2",
        "HorizontalPodAutoscaler",
        name=worker_name(service),
        spec={
            "scaleTargetRef": _target(service),
            "minReplicas": max(1, asked.min_replicas),
            "maxReplicas": asked.max_replicas,
            "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": target}}],
            "behavior": _behavior(asked),
        },
    )


def _target(service: TTSService) -> Json:
    return {"apiVersion": "apps/v1", "kind": "Deployment", "name": worker_name(service)}


def _behavior(asked: WorkerAutoscaling) -> Json:
    return {"scaleDown": {"stabilizationWindowSeconds": asked.cooldown_seconds}}
