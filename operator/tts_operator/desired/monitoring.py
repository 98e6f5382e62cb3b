"""Objects for the Prometheus operator: where to scrape, and when to alert.

Source: https://prometheus-operator.dev/docs/api-reference/api/
"""

from tts_operator.api import TTSService
from tts_operator.desired.identity import manifest, serving_pods, worker_labels, worker_name
from tts_operator.json_object import Json

SPEECH = "/v1/audio/speech|/api/tts"
"""The speech endpoints, as named in the server's metrics."""


def pod_monitor(service: TTSService) -> Json:
    """The PodMonitor, which scrapes /metrics of each pod that serves clients."""
    return _pod_monitor(service, serving_pods(service), name=None)


def worker_pod_monitor(service: TTSService) -> Json:
    """The PodMonitor of the workers. Their metrics have another job, so that no alert takes a worker for a server."""
    return _pod_monitor(service, worker_labels(service), name=worker_name(service))


def _pod_monitor(service: TTSService, pods: dict[str, str], *, name: str | None) -> Json:
    asked = service.spec.monitoring.pod_monitor
    # honorLabels keeps the server's label `endpoint`, which would otherwise be renamed in favor of the port's name.
    endpoint = {"port": "http", "path": "/metrics", "interval": f"{asked.interval_seconds}s", "honorLabels": True}
    return manifest(
        service,
        "monitoring.coreos.com/v1",
        "PodMonitor",
        name=name,
        labels=asked.labels,
        spec={"selector": {"matchLabels": pods}, "podMetricsEndpoints": [endpoint]},
    )


def prometheus_rule(service: TTSService) -> Json:
    """The PrometheusRule, with alerts for what clients notice, for a lexicon that is wrong, and for jobs that wait."""
    asked = service.spec.monitoring.prometheus_rule
    group = {"name": f"tts-operator.{service.namespace}.{service.name}", "rules": _alerts(service)}
    return manifest(
        service, "monitoring.coreos.com/v1", "PrometheusRule", labels=asked.labels, spec={"groups": [group]}
    )


def _alerts(service: TTSService) -> list[Json]:
    name = f"{service.namespace}/{service.name}"
    ours = f'job="{name}"'  # the job name that the Prometheus operator gives a PodMonitor
    speech = f'{ours},endpoint=~"{SPEECH}"'
    answers = f"sum(rate(tts_requests_total{{{speech}}}[5m]))"
    failed = f'sum(rate(tts_requests_total{{{speech},status=~"5..",status!="503"}}[5m]))'
    refused = f'sum(rate(tts_requests_total{{{speech},status="503"}}[5m]))'
    longest = f"{service.spec.monitoring.prometheus_rule.max_p99_milliseconds / 1000:g}"
    p99 = f"histogram_quantile(0.99, sum by (le) (rate(tts_request_duration_seconds_bucket{{{speech}}}[5m])))"
    down = _alert(
        "TTSServiceDown",
        f"absent(tts_model_ready{{{ours}}} == 1)",
        minutes=1,
        severity="critical",
        summary=f"No pod of {name} can speak",
    )
    return [
        *([down] if _is_always_scraped(service) else []),
        _alert(
            "TTSServiceErrors",
            f"{failed} / {answers} > 0.01",
            minutes=5,
            severity="critical",
            summary=f"More than 1 % of the requests to {name} fail",
        ),
        _alert(
            "TTSServiceOverloaded",
            f"{refused} / {answers} > 0.05",
            minutes=5,
            severity="warning",
            summary=f"{name} refuses more than 5 % of its requests for lack of capacity",
        ),
        _alert(
            "TTSServiceSlow",
            f"{p99} > {longest}",
            minutes=10,
            severity="warning",
            summary=f"1 % of the requests to {name} take longer than {longest} s",
        ),
        _alert(
            "TTSServiceLexiconReloadFailed",
            f"min(tts_lexicon_last_reload_successful{{{ours}}}) == 0",
            minutes=5,
            severity="warning",
            summary=f"Pods of {name} cannot read its lexicon, and use an older one or none; their logs say why",
        ),
        *([_jobs_alert(service, name)] if service.spec.jobs is not None else ()),
    ]


def _jobs_alert(service: TTSService, name: str) -> Json:
    """The alert for jobs. With Kafka, it is about the workers, whose metrics have a job name of their own."""
    kafka = service.spec.jobs is not None and service.spec.jobs.kafka is not None
    speaking = f"{service.namespace}/{worker_name(service)}" if kafka else name
    return _alert(
        "TTSServiceJobsWaiting",
        f'sum(rate(tts_job_storage_failures_total{{job="{speaking}"}}[5m])) > 0',
        minutes=10,
        severity="warning",
        summary=f"Jobs of {name} wait, because their storage or brokers fail; the logs of {speaking} say why",
    )


def _is_always_scraped(service: TTSService) -> bool:
    """Whether a healthy service always has metrics, so that their absence means an outage."""
    spec = service.spec
    return spec.monitoring.pod_monitor.enabled and (spec.replicas > 0 or spec.autoscaling is not None)


def _alert(alert: str, expression: str, *, minutes: int, severity: str, summary: str) -> Json:
    return {
        "alert": alert,
        "expr": expression,
        "for": f"{minutes}m",
        "labels": {"severity": severity},
        "annotations": {"summary": summary},
    }
