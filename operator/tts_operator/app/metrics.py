"""The operator's Prometheus metrics. Names follow https://prometheus.io/docs/practices/naming/."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence

import prometheus_client
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.registry import Collector

from tts_operator import __version__
from tts_operator.app.tracing import Exemplar
from tts_operator.fencing import Fence
from tts_operator.json_object import Json
from tts_operator.kube.client import NO_RESPONSE
from tts_operator.runtime import Informer, Lane, WorkQueue

RECONCILE_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 120)
ANALYSIS_RESULTS = ("Passed", "SpeechCheckFailed", "ErrorRate", "SlowAnswers", "Overloaded", "PrometheusQuery")
REQUEST_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Metrics:
    """Counters and histograms, in their own registry."""

    def __init__(self) -> None:
        registry = self.registry = prometheus_client.CollectorRegistry()
        reconciles = prometheus_client.Histogram(
            "tts_operator_reconcile_seconds",
            "Duration of one reconcile of one TTSService.",
            ["result"],
            buckets=RECONCILE_BUCKETS,
            registry=registry,
        )
        self._reconciles = {result: reconciles.labels(result) for result in ("success", "retry", "error")}
        self._errors = prometheus_client.Counter(
            "tts_operator_reconcile_errors_total",
            "Failed reconciles by error name.",
            ["kind"],
            registry=registry,
        )
        self._requests = prometheus_client.Counter(
            "tts_operator_api_requests_total",
            "Requests to the API server, except kopf's; code 0 means no response.",
            ["verb", "resource", "code"],
            registry=registry,
        )
        self._seconds = prometheus_client.Histogram(
            "tts_operator_api_request_seconds",
            "Time until the API server answered a request; for a watch, until it was established.",
            ["verb"],
            buckets=REQUEST_BUCKETS,
            registry=registry,
        )
        self._analyses = prometheus_client.Counter(
            "tts_operator_rollout_analyses_total",
            "Analyses of new revisions that came to a result: Passed, or the reason for the rollback.",
            ["result"],
            registry=registry,
        )
        for result in ANALYSIS_RESULTS:
            self._analyses.labels(result)  # a series that exists before its first event has a correct rate
        # Cached, because a lookup by labels costs more than the count itself.
        self._request_children: dict[tuple[str, str, int], prometheus_client.Counter] = {}
        self._second_children: dict[str, prometheus_client.Histogram] = {}
        build = prometheus_client.Gauge(
            "tts_operator_build_info", "The operator's version.", ["version"], registry=registry
        )
        build.labels(__version__).set(1)
        prometheus_client.ProcessCollector(registry=registry)
        prometheus_client.GCCollector(registry=registry)

    def requested(
        self, verb: str, resource: str, status: int, seconds: float, exemplar: Exemplar | None = None
    ) -> None:
        """Count a request to the API server. `exemplar` leads to its span."""
        child = self._request_children.get((verb, resource, status))
        if child is None:
            child = self._requests.labels(verb, resource, str(status))
            self._request_children[verb, resource, status] = child
        child.inc()
        if status == NO_RESPONSE:
            return
        timer = self._second_children.get(verb)
        if timer is None:
            timer = self._second_children[verb] = self._seconds.labels(verb)
        timer.observe(seconds, exemplar)

    def reconciled(self, result: str, kind: str, seconds: float, exemplar: Exemplar | None = None) -> None:
        """Count a reconcile. `exemplar` leads to its span."""
        self._reconciles[result].observe(seconds, exemplar)
        if kind:
            self._errors.labels(kind).inc()

    def analyzed(self, result: str) -> None:
        """Count a result of an analysis."""
        self._analyses.labels(result).inc()

    def page(self) -> bytes:
        """Render all metrics in Prometheus' text format."""
        return prometheus_client.generate_latest(self.registry)

    def openmetrics_page(self) -> bytes:
        """Render the same in the format that has exemplars."""
        page: bytes = openmetrics.generate_latest(self.registry)  # type: ignore[no-untyped-call]
        return page


class StateCollector(Collector):
    """Metrics that are computed when they are scraped."""

    def __init__(
        self,
        *,
        queue: WorkQueue,
        services: Iterable[Json],
        informers: Sequence[Informer],
        leading: Callable[[], bool],
        fence: Fence | None = None,
    ) -> None:
        self._queue = queue
        self._fence = fence
        self._services = services
        self._informers = informers
        self._leading = leading

    def collect(self) -> Iterator[Metric]:
        """Compute the current metrics."""
        yield GaugeMetricFamily(
            "tts_operator_leader", "1 while this process holds the lease and writes.", value=float(self._leading())
        )
        depth = GaugeMetricFamily("tts_operator_queue_depth", "TTSServices waiting for a worker.", labels=["lane"])
        oldest = GaugeMetricFamily(
            "tts_operator_queue_oldest_seconds", "How long the first one has been waiting.", labels=["lane"]
        )
        for lane in Lane:
            depth.add_metric([lane.name.lower()], self._queue.depth_of(lane))
            oldest.add_metric([lane.name.lower()], self._queue.age_of(lane))
        yield depth
        yield oldest
        restarts = CounterMetricFamily(
            "tts_operator_watch_restarts", "Lists and watches that failed and were restarted.", labels=["resource"]
        )
        sums: Counter[str] = Counter()
        for informer in self._informers:  # one informer per namespace
            sums[informer.resource] += informer.restarts
        for resource, number in sums.items():
            restarts.add_metric([resource], number)
        yield restarts
        yield self._conditions()
        if self._fence is not None:
            yield from _fencing(self._fence)

    def _conditions(self) -> Metric:
        counts = Counter(
            (condition["type"], condition["status"])
            for body in self._services
            for condition in body.get("status", {}).get("conditions", ())
        )
        found = GaugeMetricFamily(
            "tts_operator_services", "TTSServices by condition and status.", labels=["condition", "status"]
        )
        for (condition, status), number in sorted(counts.items()):
            found.add_metric([condition, status], number)
        return found


def _fencing(fence: Fence) -> Iterator[Metric]:
    nodes = GaugeMetricFamily(
        "tts_operator_nodes",
        "Nodes with pods of TTSServices, as this replica sees them; Unknown nodes have never answered it.",
        labels=["sight"],
    )
    for sight, number in fence.count().items():
        nodes.add_metric([sight.value], number)
    yield nodes
    yield GaugeMetricFamily(
        "tts_operator_fenced_pods", "Pods that get no traffic because their node does not respond.", value=fence.fenced
    )
    yield CounterMetricFamily(
        "tts_operator_pods_fenced", "Pods that this replica has taken out of their Services.", value=fence.fenced_total
    )
    yield CounterMetricFamily(
        "tts_operator_pods_restored", "Pods that this replica has put back into them.", value=fence.restored_total
    )
