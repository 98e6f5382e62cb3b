"""The PodMonitors: where Prometheus scrapes the pods of a service."""

from tts_operator.api import TTSService
from tts_operator.api.backend import Backend
from tts_operator.desired.identity import (
    all_backends_name,
    backend_labels,
    manifest,
    serving_pods,
    worker_labels,
    worker_name,
)
from tts_operator.desired.pod.backend import metrics_port_name
from tts_operator.json_object import Json


def pod_monitor(service: TTSService) -> Json:
    """The PodMonitor, which scrapes /metrics of each pod that serves clients."""
    return _pod_monitor(service, serving_pods(service), name=None)


def worker_pod_monitor(service: TTSService) -> Json:
    """The PodMonitor of the workers. Their metrics have another job, so that no alert takes a worker for a server."""
    return _pod_monitor(service, worker_labels(service), name=worker_name(service))


def backend_pod_monitor(service: TTSService, backend: Backend) -> Json | None:
    """The PodMonitor of a backend with metrics of its own, such as Triton's; None if it has none."""
    port = metrics_port_name(backend)
    if port is None:
        return None
    pods = backend_labels(service) if backend.is_separate else serving_pods(service)
    return _pod_monitor(service, pods, name=all_backends_name(service), port=port)


def job_of(service: TTSService) -> str:
    """The label `job` of the servers' metrics, as the Prometheus operator derives it from the PodMonitor."""
    return f"{service.namespace}/{service.name}"


def worker_job_of(service: TTSService) -> str:
    """The label `job` of the workers' metrics."""
    return f"{service.namespace}/{worker_name(service)}"


def _pod_monitor(service: TTSService, pods: dict[str, str], *, name: str | None, port: str = "http") -> Json:
    asked = service.spec.monitoring.pod_monitor
    # honorLabels keeps the server's label `endpoint`, which would otherwise be renamed in favor of the port's name.
    endpoint = {"port": port, "path": "/metrics", "interval": f"{asked.interval_seconds}s", "honorLabels": True}
    return manifest(
        service,
        "monitoring.coreos.com/v1",
        "PodMonitor",
        name=name,
        labels=asked.labels,
        spec={"selector": {"matchLabels": pods}, "podMetricsEndpoints": [endpoint]},
    )
