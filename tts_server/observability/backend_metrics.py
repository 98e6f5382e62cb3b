"""Prometheus metrics of an engine's backend. A server without one has none of them: 0 would say that it is away."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

# From a model in the same pod to the time limits of settings/upstream.py.
_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.4, 0.8, 1.2, 2.0, 3.0, 5.0, 10.0, 30.0, 60.0)
_OUTCOMES = ("success", "failed", "invalid_audio", "busy", "refused")


class BackendMetrics:
    """The metrics. A request is for one sentence. Checks are not counted."""

    def __init__(self, registry: CollectorRegistry, *, ready: Callable[[], bool], in_flight: Callable[[], int]) -> None:
        """Read ``ready`` and ``in_flight`` at each scrape."""
        Gauge(
            "tts_backend_ready",
            "1 if the backend can speak. 0 while checks get no answer or the circuit breaker is open.",
            registry=registry,
        ).set_function(lambda: 1 if ready() else 0)
        Gauge(
            "tts_backend_requests_in_flight", "Sentences that the backend is speaking.", registry=registry
        ).set_function(in_flight)
        self._requests = Counter(
            "tts_backend_requests",
            "Sentences that the backend was asked for, by outcome.",
            ["outcome"],
            registry=registry,
        )
        self._retries = Counter(
            "tts_backend_retries", "Requests that were sent to the backend again.", registry=registry
        )
        self._seconds = Histogram(
            "tts_backend_request_duration_seconds",
            "Time from a request to the backend until all of the sentence was there.",
            buckets=_BUCKETS,
            registry=registry,
        )
        self._first_seconds = Histogram(
            "tts_backend_time_to_first_audio_seconds",
            "Time from a request to the backend until the first samples of the sentence were there.",
            buckets=_BUCKETS,
            registry=registry,
        )
        for outcome in _OUTCOMES:
            self._requests.labels(outcome)

    def ended(self, outcome: str, *, first_seconds: float, seconds: float, retries: int) -> None:
        """Count a request. Only of those with speech, the times are measured: a failure may be quick."""
        self._requests.labels(outcome).inc()
        self._retries.inc(retries)
        if outcome == "success":
            self._first_seconds.observe(first_seconds)
            self._seconds.observe(seconds)
