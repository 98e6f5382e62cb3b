"""The dashboard of the operator: whether it keeps up, what fails, and what it asks of the API server."""

from dashboards.board import Board, Row
from dashboards.panels import BYTES, SECONDS, Limits, Query, graph, number, quantiles

RATE = "[$__rate_interval]"
_OPERATOR = "and on (instance) tts_operator_build_info"
"""Selects the operator's processes among others."""

BOARD = Board(
    uid="tts-operator",
    title="TTS / Operator",
    description="The operator: whether it keeps up, what fails, and what it asks of the API server.",
    variables=[],
    rows=[
        Row(
            "Now",
            [
                number(
                    "Leaders",
                    "Replicas that write: 1. For a few seconds after a leader was lost, 0.",
                    "sum(tts_operator_leader)",
                    limits=Limits(1, 1, falling=True),
                ),
                number("Replicas", "Replicas that Prometheus sees.", "count(tts_operator_build_info)"),
                number(
                    "Services",
                    "TTSServices that it looks after.",
                    'count(max by (ttsservice) (tts_operator_service_condition{condition="Ready"}))',
                ),
                number(
                    "Not available",
                    "TTSServices that cannot serve now. Those with replicas: 0 do not count.",
                    'sum(1 - max by (ttsservice) (tts_operator_service_condition{condition="Available", '
                    'reason!="ScaledToZero"})) or vector(0)',
                    limits=Limits(1, 1),
                ),
                number(
                    "Stalled",
                    "TTSServices that cannot become ready by themselves.",
                    'max(tts_operator_services{condition="Stalled", status="True"}) or vector(0)',
                    limits=Limits(1, 1),
                ),
                number(
                    "Oldest in the queue",
                    "How long the first TTSService has been waiting for a worker.",
                    "max(tts_operator_queue_oldest_seconds)",
                    unit=SECONDS,
                    limits=Limits(10, 60),
                ),
                number(
                    "Unreachable nodes",
                    "Nodes with pods of TTSServices that do not answer.",
                    'max(tts_operator_nodes{sight="Unreachable"}) or vector(0)',
                    limits=Limits(1, 1),
                ),
                number(
                    "Fenced pods",
                    "Pods that get no traffic because their node does not respond.",
                    "max(tts_operator_fenced_pods) or vector(0)",
                    limits=Limits(1, 1),
                ),
            ],
        ),
        Row(
            "Reconciles",
            [
                graph(
                    "Duration",
                    "Of one reconcile of one TTSService.",
                    *quantiles("tts_operator_reconcile_seconds", ""),
                    unit=SECONDS,
                ),
                graph(
                    "Results",
                    "Reconciles per second. retry: an error that may go away; error: a bug or a refusal.",
                    Query(f"sum by (result) (rate(tts_operator_reconcile_seconds_count{RATE}))", "{{result}}"),
                    unit="ops",
                    stacked=True,
                ),
                graph(
                    "Errors",
                    "Failed reconciles per second, by the error's name. Empty while none has failed.",
                    Query(f"sum by (kind) (rate(tts_operator_reconcile_errors_total{RATE}))", "{{kind}}"),
                    unit="ops",
                    stacked=True,
                ),
                graph(
                    "Queue",
                    "TTSServices that wait for a worker, by lane.",
                    Query("max by (lane) (tts_operator_queue_depth)", "{{lane}}"),
                    stacked=True,
                ),
                graph(
                    "Oldest in the queue",
                    "How long the first one of each lane has been waiting.",
                    Query("max by (lane) (tts_operator_queue_oldest_seconds)", "{{lane}}"),
                    unit=SECONDS,
                ),
                graph(
                    "Conditions",
                    "TTSServices by condition and status.",
                    Query("max by (condition, status) (tts_operator_services)", "{{condition}}={{status}}"),
                ),
            ],
        ),
        Row(
            "API server",
            [
                graph(
                    "Requests by verb",
                    "Per second, without those of kopf, which watches the TTSServices.",
                    Query(f"sum by (verb) (rate(tts_operator_api_requests_total{RATE}))", "{{verb}}"),
                    unit="ops",
                    stacked=True,
                ),
                graph(
                    "Requests by resource and code",
                    "Per second. Code 0 means no response.",
                    Query(
                        f"sum by (resource, code) (rate(tts_operator_api_requests_total{RATE}))",
                        "{{resource}} {{code}}",
                    ),
                    unit="ops",
                    stacked=True,
                ),
                graph(
                    "P99 of requests",
                    "Time until the API server answered, by verb; of a watch, until it was established.",
                    Query(
                        "histogram_quantile(0.99, sum by (le, verb) "
                        f"(rate(tts_operator_api_request_seconds_bucket{RATE})))",
                        "{{verb}}",
                    ),
                    unit=SECONDS,
                ),
                graph(
                    "Restarts of watches",
                    "Lists and watches that failed and were started again, by resource.",
                    Query(f"sum by (resource) (increase(tts_operator_watch_restarts_total{RATE}))", "{{resource}}"),
                    stacked=True,
                ),
                graph(
                    "Analyses of new revisions",
                    "Speech checks, and checks of live traffic, by result.",
                    Query(f"sum by (result) (increase(tts_operator_rollout_analyses_total{RATE}))", "{{result}}"),
                    stacked=True,
                ),
                graph(
                    "Leader",
                    "1 on the replica that writes.",
                    Query("max by (instance) (tts_operator_leader)", "{{instance}}"),
                    stacked=True,
                ),
            ],
        ),
        Row(
            "Fencing",
            [
                graph(
                    "Nodes",
                    "Nodes with pods of TTSServices, as each replica sees them. Unknown: never answered this replica.",
                    Query("max by (instance, sight) (tts_operator_nodes)", "{{instance}} {{sight}}"),
                ),
                graph(
                    "Fenced pods",
                    "Pods that get no traffic because their node does not respond.",
                    Query("max(tts_operator_fenced_pods)", "fenced"),
                ),
                graph(
                    "Fences",
                    "Pods taken out of their Services, and put back.",
                    Query(f"sum(increase(tts_operator_pods_fenced_total{RATE}))", "fenced"),
                    Query(f"sum(increase(tts_operator_pods_restored_total{RATE}))", "restored"),
                ),
            ],
        ),
        Row(
            "Process",
            [
                graph(
                    "CPU",
                    "Cores in use, by replica.",
                    Query(
                        f"sum by (instance) (rate(process_cpu_seconds_total{RATE}) {_OPERATOR})",
                        "{{instance}}",
                    ),
                ),
                graph(
                    "Memory",
                    "Resident memory, by replica.",
                    Query(
                        f"sum by (instance) (process_resident_memory_bytes {_OPERATOR})",
                        "{{instance}}",
                    ),
                    unit=BYTES,
                ),
                graph(
                    "Versions",
                    "Replicas by version of the operator.",
                    Query("count by (version) (tts_operator_build_info)", "{{version}}"),
                    stacked=True,
                ),
            ],
        ),
    ],
)
