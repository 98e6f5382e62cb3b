"""The dashboard of one service: what its clients notice, and why."""

from dashboards.board import NAMESPACE, SERVICE, Board, Row
from dashboards.panels import (
    BYTES,
    PER_SECOND,
    SECONDS,
    SHARE,
    Limits,
    Query,
    graph,
    number,
    quantiles,
)

OURS = 'job="$namespace/$service"'
"""Selects the service's servers."""
TOLD = 'ttsservice="$namespace/$service"'
"""Selects the service in the operator's metrics."""
SPEECH = f'{OURS}, endpoint=~"/v1/audio/speech|/api/tts"'
RATE = "[$__rate_interval]"
REQUESTS = f"sum(rate(tts_requests_total{{{SPEECH}}}{RATE}))"
FAILED = f'(sum(rate(tts_requests_total{{{SPEECH}, status=~"5..", status!="503"}}{RATE})) or vector(0))'
REFUSED = f'(sum(rate(tts_requests_total{{{SPEECH}, status=~"429|503"}}{RATE})) or vector(0))'
SYNTHESIS = f"sum(rate(tts_synthesis_seconds_total{{{OURS}}}{RATE}))"
AUDIO = f"sum(rate(tts_audio_seconds_total{{{OURS}}}{RATE}))"
BUSY = f"{SYNTHESIS} / sum(tts_threads{{{OURS}}})"
CACHE = f"rate(tts_cache_events_total{{{OURS}}}{RATE})"
FOUND = f'sum(rate(tts_cache_events_total{{{OURS}, event=~"hit|coalesced"}}{RATE})) / sum({CACHE})'
READY = f'sum(tts_operator_service_pods{{{TOLD}, set!="worker", ready="true"}})'
P95 = f"histogram_quantile(0.95, sum by (le) (rate(tts_request_duration_seconds_bucket{{{SPEECH}}}{RATE})))"
FIRST = f"histogram_quantile(0.95, sum by (le) (rate(tts_time_to_first_audio_seconds_bucket{{{OURS}}}{RATE})))"
_OPERATOR = "From the operator's metrics."

OVERVIEW = Row(
    "Now",
    [
        number("Ready pods", f"Pods that can serve. {_OPERATOR}", READY, limits=Limits(2, 1, falling=True)),
        number("Requests", "Speech requests per second.", REQUESTS, unit=PER_SECOND),
        number(
            "Errors",
            "Share of the speech requests that were answered with 5xx, except 503, which means too busy.",
            f"{FAILED} / {REQUESTS}",
            unit=SHARE,
            limits=Limits(0.001, 0.01),
        ),
        number("P95 latency", "95 % of the speech requests are answered within this time.", P95, unit=SECONDS),
        number("P95 first audio", "95 % of the speech requests have their first audio by then.", FIRST, unit=SECONDS),
        number(
            "Real-time factor",
            "Thread time for a second of audio. Above 1, one thread cannot keep up with a listener.",
            f"{SYNTHESIS} / {AUDIO}",
            decimals=3,
            limits=Limits(0.5, 1),
        ),
        number("Saturation", "Share of the synthesis threads in use.", BUSY, unit=SHARE, limits=Limits(0.7, 0.9)),
        number("Cache hits", "Share of the requests that needed no synthesis of their own.", FOUND, unit=SHARE),
    ],
)
REQUESTS_ROW = Row(
    "Requests",
    [
        graph(
            "Requests by status",
            "Speech requests per second. 429: a quota or too many requests; 503: too busy.",
            Query(f"sum by (status) (rate(tts_requests_total{{{SPEECH}}}{RATE}))", "{{status}}"),
            unit=PER_SECOND,
            stacked=True,
        ),
        graph(
            "Errors and refusals",
            "Share of the speech requests. Errors are 5xx except 503; refused are 429 and 503.",
            Query(f"{FAILED} / {REQUESTS}", "errors"),
            Query(f"{REFUSED} / {REQUESTS}", "refused"),
            unit=SHARE,
        ),
        graph(
            "Latency",
            "From a speech request's headers to the end of its response; of streams, to the end of the stream.",
            *quantiles("tts_request_duration_seconds", SPEECH),
            unit=SECONDS,
        ),
        graph(
            "Time to first audio",
            "From a speech request's headers to its first audio.",
            *quantiles("tts_time_to_first_audio_seconds", OURS),
            unit=SECONDS,
        ),
        graph(
            "First audio with and without the cache",
            "P95 of the time to the first audio, by what the cache had.",
            Query(
                "histogram_quantile(0.95, sum by (le, cache) "
                f"(rate(tts_time_to_first_audio_seconds_bucket{{{OURS}}}{RATE})))",
                "{{cache}}",
            ),
            unit=SECONDS,
        ),
        graph(
            "Rejections by reason",
            "Speech requests rejected per second, by the code of the error. Empty while none is rejected.",
            Query(f"sum by (reason) (rate(tts_rejections_total{{{OURS}}}{RATE}))", "{{reason}}"),
            unit=PER_SECOND,
            stacked=True,
        ),
        graph(
            "Responses that broke off",
            "Speech responses per second that broke off after they had begun, by the code of the error.",
            Query(f"sum by (reason) (rate(tts_interruptions_total{{{OURS}}}{RATE}))", "{{reason}}"),
            unit=PER_SECOND,
            stacked=True,
        ),
        graph(
            "Requests by endpoint",
            "All requests per second, with probes and pages.",
            Query(f"sum by (endpoint) (rate(tts_requests_total{{{OURS}}}{RATE}))", "{{endpoint}}"),
            unit=PER_SECOND,
            stacked=True,
        ),
        graph(
            "WebSockets",
            "Open connections of `/v1/audio/speech/stream`.",
            Query(f"sum(tts_duplex_connections{{{OURS}}})", "open"),
        ),
        graph(
            "Tasks of WebSockets",
            "Tasks that ended, per second, by result. Empty until one has ended.",
            Query(f"sum by (result) (rate(tts_duplex_tasks_total{{{OURS}}}{RATE}))", "{{result}}"),
            unit="ops",
            stacked=True,
        ),
    ],
)
SYNTHESIS_ROW = Row(
    "Synthesis",
    [
        graph(
            "Real-time factor",
            "Thread time for a second of audio: the mean, and of sentences.",
            Query(f"{SYNTHESIS} / {AUDIO}", "mean"),
            *quantiles("tts_real_time_factor", OURS, legend=" of a sentence"),
        ),
        graph(
            "Saturation",
            "Share of the synthesis threads in use, by pod. Near 1, requests wait.",
            Query(
                f"sum by (pod) (rate(tts_synthesis_seconds_total{{{OURS}}}{RATE})) "
                f"/ sum by (pod) (tts_threads{{{OURS}}})",
                "{{pod}}",
            ),
            unit=SHARE,
            maximum=1,
        ),
        graph(
            "Audio",
            "Seconds of audio per second: synthesized, and delivered from synthesis and caches together.",
            Query(AUDIO, "synthesized"),
            Query(f"sum(rate(tts_key_audio_seconds_total{{{OURS}}}{RATE}))", "delivered"),
        ),
        graph(
            "Queue seconds",
            "Estimated time to finish all admitted work, by pod. Above `TTS_QUEUE_SECONDS`, requests get 503.",
            Query(f"sum by (pod) (tts_queue_seconds{{{OURS}}})", "{{pod}}"),
            unit=SECONDS,
        ),
        graph(
            "Queue depth",
            "Sentences that wait for a thread, by pod.",
            Query(f"sum by (pod) (tts_queue_depth{{{OURS}}})", "{{pod}}"),
            stacked=True,
        ),
        graph(
            "Wait for a thread",
            "From the admission of a text until a thread starts on it.",
            *quantiles("tts_queue_wait_seconds", OURS),
            unit=SECONDS,
        ),
    ],
)
CACHE_ROW = Row(
    "Cache",
    [
        graph(
            "Cache",
            "Lookups per second. Coalesced: requests that joined the synthesis of the same text.",
            Query(f"sum by (event) ({CACHE})", "{{event}}"),
            unit=PER_SECOND,
            stacked=True,
        ),
        graph(
            "Cache memory",
            "Memory of the cached audio, by pod.",
            Query(f"sum by (pod) (tts_cache_bytes{{{OURS}}})", "{{pod}}"),
            unit=BYTES,
            stacked=True,
        ),
        graph(
            "Redis",
            "Operations of the shared cache and of quotas per second, by result. Empty without `server.cache.redis`.",
            Query(
                f"sum by (operation, result) (rate(tts_redis_events_total{{{OURS}}}{RATE}))",
                "{{operation}} {{result}}",
            ),
            unit="ops",
            stacked=True,
        ),
    ],
)
_BACKEND = "Empty without a backend, as of the engines `upstream` and `triton`."
BACKEND_ROW = Row(
    "Backend",
    [
        graph(
            "Backend available",
            f"1 for each pod whose backend can speak; otherwise, its circuit breaker is open. {_BACKEND}",
            Query(f"sum by (pod) (tts_backend_ready{{{OURS}}})", "{{pod}}"),
            stacked=True,
        ),
        graph(
            "Requests to the backend",
            f"Sentences per second that the backend was asked for, by outcome. {_BACKEND}",
            Query(f"sum by (outcome) (rate(tts_backend_requests_total{{{OURS}}}{RATE}))", "{{outcome}}"),
            Query(f"sum(rate(tts_backend_retries_total{{{OURS}}}{RATE}))", "sent again"),
            unit=PER_SECOND,
        ),
        graph(
            "Requests in flight",
            f"Sentences that the backend is speaking, by pod. At most the threads of the pod. {_BACKEND}",
            Query(f"sum by (pod) (tts_backend_requests_in_flight{{{OURS}}})", "{{pod}}"),
            stacked=True,
        ),
        graph(
            "Backend's first audio",
            f"From a request to the backend to the first samples of the sentence. {_BACKEND}",
            *quantiles("tts_backend_time_to_first_audio_seconds", OURS),
            unit=SECONDS,
        ),
        graph(
            "Backend's time for a sentence",
            f"From a request to the backend until all of the sentence is there. {_BACKEND}",
            *quantiles("tts_backend_request_duration_seconds", OURS),
            unit=SECONDS,
        ),
    ],
)
PODS_ROW = Row(
    "Pods",
    [
        graph(
            "Ready pods by zone",
            f"Where the pods that can serve are. {_OPERATOR} A zone is a node's label `topology.kubernetes.io/zone`.",
            Query(f'sum by (zone) (tts_operator_service_pods{{{TOLD}, set!="worker", ready="true"}})', "{{zone}}"),
            stacked=True,
        ),
        graph(
            "Revisions",
            "Pods with a loaded model, by engine, revision of the model, and version of the server.",
            Query(
                f"sum by (engine, revision, version) (tts_build_info{{{OURS}}} * on (pod) group_left () "
                f"max by (pod) (tts_model_ready{{{OURS}}}))",
                "{{engine}} {{revision}} ({{version}})",
            ),
            stacked=True,
        ),
        graph(
            "Time to load the model",
            "Time to load and warm the model, by pod.",
            Query(f"max by (pod) (tts_model_load_seconds{{{OURS}}})", "{{pod}}"),
            unit=SECONDS,
        ),
        graph(
            "CPU",
            "Cores in use, by pod.",
            Query(f"sum by (pod) (rate(process_cpu_seconds_total{{{OURS}}}{RATE}))", "{{pod}}"),
            stacked=True,
        ),
        graph(
            "Memory",
            "Resident memory of the server's process, by pod.",
            Query(f"sum by (pod) (process_resident_memory_bytes{{{OURS}}})", "{{pod}}"),
            unit=BYTES,
        ),
        graph(
            "Lexicon",
            "Words in the service's lexicon, and 0 for current if a pod cannot read its newest version.",
            Query(f"max(tts_lexicon_entries{{{OURS}}})", "words"),
            Query(f"min(tts_lexicon_last_reload_successful{{{OURS}}})", "current"),
            Query(f"sum by (result) (increase(tts_lexicon_reloads_total{{{OURS}}}{RATE}))", "reload: {{result}}"),
        ),
    ],
)
BOARD = Board(
    uid="tts-service",
    title="TTS / Service",
    description="One TTSService: requests, errors, latency, synthesis, cache, backend, and pods.",
    variables=[NAMESPACE, SERVICE],
    rows=[OVERVIEW, REQUESTS_ROW, SYNTHESIS_ROW, CACHE_ROW, BACKEND_ROW, PODS_ROW],
)
