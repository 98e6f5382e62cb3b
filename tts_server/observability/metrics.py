"""Prometheus metrics. Names follow https://prometheus.io/docs/practices/naming/."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.openmetrics import exposition as openmetrics

# 0.8 and 1.2 are the promised mean and P99.
_REQUEST_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 1.2, 1.6, 2.0, 3.0, 5.0, 10.0, 30.0)
_WAIT_BUCKETS = (0.001, 0.005, 0.02, 0.05, 0.1, 0.2, 0.4, 0.8, 1.2, 2.0, 5.0, 10.0)
_FACTOR_BUCKETS = (0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.08, 0.1, 0.15, 0.2, 0.3, 0.5, 0.7, 1.0, 2.0)

_SERVER_FAULTS = (
    "backend_refused",
    "backend_unavailable",
    "deadline_exceeded",
    "internal_error",
    "overloaded",
    "server_draining",
)
"""Codes of errors that would have a status from 500 if one could still be sent."""


class Metrics:
    """All metrics of one server, in a registry of their own."""

    def __init__(self) -> None:
        registry = self.registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self.build_info = Gauge(
            "tts_build_info",
            "Version, engine and model revision.",
            ["version", "engine", "revision"],
            registry=registry,
        )
        self.threads = Gauge(
            "tts_threads",
            "Threads for synthesis. The rate of tts_synthesis_seconds_total divided by this is the share in use.",
            registry=registry,
        )
        self.request_seconds = Histogram(
            "tts_request_duration_seconds",
            "Time from a request's headers to the end of its response.",
            ["endpoint"],
            buckets=_REQUEST_BUCKETS,
            registry=registry,
        )
        self.requests = Counter("tts_requests", "Requests answered.", ["endpoint", "status"], registry=registry)
        self.rejections = Counter("tts_rejections", "Speech requests rejected.", ["reason"], registry=registry)
        self._interruptions = Counter(
            "tts_interruptions",
            "Speech that the server broke off after the status of its response was sent, by the error's code: streams, "
            "and tasks of WebSockets.",
            ["reason"],
            registry=registry,
        )
        self.synthesis_seconds = Counter(
            "tts_synthesis_seconds",
            "Thread time spent on synthesis. Divided by tts_audio_seconds_total, the real-time factor.",
            registry=registry,
        )
        self.audio_seconds = Counter("tts_audio_seconds", "Length of the audio synthesised.", registry=registry)
        self.real_time_factor = Histogram(
            "tts_real_time_factor",
            "Thread time for a sentence divided by the length of its audio.",
            buckets=_FACTOR_BUCKETS,
            registry=registry,
        )
        self.first_audio_seconds = Histogram(
            "tts_time_to_first_audio_seconds",
            "Time from a speech request's headers to its first audio.",
            ["cache"],
            buckets=_REQUEST_BUCKETS,
            registry=registry,
        )
        self.queue_wait_seconds = Histogram(
            "tts_queue_wait_seconds",
            "Time from the admission of a text until a thread starts on it.",
            buckets=_WAIT_BUCKETS,
            registry=registry,
        )
        self.queue_depth = Gauge("tts_queue_depth", "Sentences waiting for a thread.", registry=registry)
        self.queue_seconds = Gauge(
            "tts_queue_seconds", "Estimated time to finish all admitted work.", registry=registry
        )
        self.cache_events = Counter(
            "tts_cache_events",
            "Cache hits, misses, and requests that joined a running one.",
            ["event"],
            registry=registry,
        )
        self.redis_events = Counter(
            "tts_redis_events",
            "Reads and writes of the Redis cache, by result.",
            ["operation", "result"],
            registry=registry,
        )
        self.key_characters = Counter(
            "tts_key_characters",
            "Characters of the texts spoken, by the name of the API key.",
            ["key"],
            registry=registry,
        )
        self.key_audio_seconds = Counter(
            "tts_key_audio_seconds",
            "Length of the audio made or found for requests, by the name of the API key.",
            ["key"],
            registry=registry,
        )
        self.duplex_connections = Gauge("tts_duplex_connections", "Open WebSockets.", registry=registry)
        self.duplex_tasks = Counter(
            "tts_duplex_tasks", "Tasks of WebSockets that have ended, by result.", ["result"], registry=registry
        )
        self.jobs = Counter(
            "tts_jobs", "Jobs for long texts that have ended, by outcome.", ["outcome"], registry=registry
        )
        self.job_segments = Counter(
            "tts_job_segments",
            "Segments of jobs, by result: made, or found because they had been made before.",
            ["result"],
            registry=registry,
        )
        self.job_segments_waiting = Gauge(
            "tts_job_segments_waiting", "Segments of jobs that no worker has taken.", registry=registry
        )
        self._job_waiting_seconds = Gauge(
            "tts_job_waiting_seconds",
            "Estimated thread time of the tasks of jobs that wait in Kafka or are in progress.",
            registry=None,
        )
        self._shows_waiting = False
        self.job_storage_failures = Counter(
            "tts_job_storage_failures", "Tasks of jobs for which the storage failed.", registry=registry
        )
        self.cache_bytes = Gauge("tts_cache_bytes", "Memory used by cached audio.", registry=registry)
        self.model_ready = Gauge(
            "tts_model_ready", "1 if the model is loaded and warmed up, and can speak.", registry=registry
        )
        self.load_seconds = Gauge("tts_model_load_seconds", "Time to load and warm up the model.", registry=registry)
        self.lexicon_entries = Gauge("tts_lexicon_entries", "Words in the lexicon of the service.", registry=registry)
        self.lexicon_reloads = Counter(
            "tts_lexicon_reloads", "Attempts to read the lexicon of the service.", ["result"], registry=registry
        )
        self.lexicon_last_reload_successful = Gauge(
            "tts_lexicon_last_reload_successful",
            "0 if the newest lexicon of the service is wrong, and an older one or none is in use.",
            registry=registry,
        )
        self.lexicon_last_reload_successful.set(1)
        for result in ("success", "failure"):
            self.lexicon_reloads.labels(result)
        for outcome in ("completed", "failed", "cancelled"):
            self.jobs.labels(outcome)
        for reason in _SERVER_FAULTS:
            self._interruptions.labels(reason)
        for event in ("hit", "miss", "coalesced"):
            self.cache_events.labels(event)  # a series that exists before its first event has a correct rate

    def broke_off(self, code: str) -> None:
        """Count speech that failed after it had begun, unless the client is the cause."""
        if code in _SERVER_FAULTS:
            self._interruptions.labels(code).inc()

    def set_job_waiting_seconds(self, seconds: float | None) -> None:
        """Set the metric of that name. While it is unknown (None), it is absent: 0 would say that nothing waits."""
        if seconds is not None:
            self._job_waiting_seconds.set(seconds)
        if self._shows_waiting and seconds is None:
            self.registry.unregister(self._job_waiting_seconds)
        elif not self._shows_waiting and seconds is not None:
            self.registry.register(self._job_waiting_seconds)
        self._shows_waiting = seconds is not None

    def render(self) -> bytes:
        """Return the text that Prometheus scrapes."""
        return generate_latest(self.registry)

    def render_openmetrics(self) -> bytes:
        """Return the same in the format that has exemplars, which lead from a latency to its trace."""
        page: bytes = openmetrics.generate_latest(self.registry)  # type: ignore[no-untyped-call]
        return page
