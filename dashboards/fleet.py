"""The dashboard of all services: which of them needs attention."""

from dashboards.board import NAMESPACES, SERVERS, Board, Row
from dashboards.panels import PER_SECOND, SECONDS, SHARE, Limits, Query, graph, listing, number

ALL = f'namespace=~"$namespace", {SERVERS}'
"""Selects the servers of all services."""
SPEECH = f'{ALL}, endpoint=~"/v1/audio/speech|/api/tts"'
TOLD = 'ttsservice=~"($namespace)/.+"'
"""Selects the services in the operator's metrics."""
RATE = "[$__rate_interval]"


def _per_job(expression: str) -> str:
    """Give one of the operator's series the servers' label, so that both are in one row."""
    return f'max by (job) (label_replace({expression}, "job", "$1", "ttsservice", "(.*)"))'


def _named(expression: str) -> str:
    """Replace the label `job` (NAMESPACE/NAME) by its two parts."""
    namespace = f'label_replace({expression}, "namespace", "$1", "job", "(.+)/.+")'
    return f'sum by (namespace, service) (label_replace({namespace}, "service", "$1", "job", ".+/(.+)"))'


def _condition(kind: str) -> str:
    """Whether a condition of each service is True."""
    return f'tts_operator_service_condition{{{TOLD}, condition="{kind}"}}'


REQUESTS = f"sum by (job) (rate(tts_requests_total{{{SPEECH}}}{RATE}))"
FAILED = f'sum by (job) (rate(tts_requests_total{{{SPEECH}, status=~"5..", status!="503"}}{RATE}))'
REFUSED = f'sum by (job) (rate(tts_requests_total{{{SPEECH}, status=~"429|503"}}{RATE}))'
P95 = f"histogram_quantile(0.95, sum by (le, job) (rate(tts_request_duration_seconds_bucket{{{SPEECH}}}{RATE})))"
FIRST = f"histogram_quantile(0.95, sum by (le, job) (rate(tts_time_to_first_audio_seconds_bucket{{{ALL}}}{RATE})))"
SYNTHESIS = f"sum by (job) (rate(tts_synthesis_seconds_total{{{ALL}}}{RATE}))"
BUSY = f"{SYNTHESIS} / sum by (job) (tts_threads{{{ALL}}})"
FACTOR = f"{SYNTHESIS} / sum by (job) (rate(tts_audio_seconds_total{{{ALL}}}{RATE}))"
PODS = f'sum by (ttsservice) (tts_operator_service_pods{{{TOLD}, set!="worker"}})'
READY_PODS = f'sum by (ttsservice) (tts_operator_service_pods{{{TOLD}, set!="worker", ready="true"}})'
ZONES = (
    "count by (ttsservice) (count by (ttsservice, zone) "
    f'(tts_operator_service_pods{{{TOLD}, set!="worker", ready="true", zone!=""}}))'
)
_LINK = {
    "Service": "/d/tts-service?var-datasource=${datasource}&var-namespace=${__data.fields.Namespace}"
    "&var-service=${__data.fields.Service}"
}

BOARD = Board(
    uid="tts-fleet",
    title="TTS / Fleet",
    description="All TTSServices: which of them needs attention.",
    variables=[NAMESPACES],
    rows=[
        Row(
            "Now",
            [
                number(
                    "Services",
                    "TTSServices. From the operator.",
                    f'count(max by (ttsservice) (tts_operator_service_condition{{{TOLD}, condition="Ready"}}))',
                ),
                number(
                    "Not available",
                    "TTSServices that cannot serve now. Those with replicas: 0 do not count. From the operator.",
                    f'sum(1 - max by (ttsservice) (tts_operator_service_condition{{{TOLD}, condition="Available", '
                    'reason!="ScaledToZero"})) or vector(0)',
                    limits=Limits(1, 1),
                ),
                number(
                    "Stalled",
                    "TTSServices that cannot become ready by themselves, in all namespaces. From the operator.",
                    'max(tts_operator_services{condition="Stalled", status="True"}) or vector(0)',
                    limits=Limits(1, 1),
                ),
                number(
                    "Pods not ready",
                    "Pods of servers that cannot serve. From the operator.",
                    f'sum(tts_operator_service_pods{{{TOLD}, set!="worker", ready="false"}}) or vector(0)',
                    limits=Limits(1, 3),
                ),
                number("Requests", "Speech requests per second.", f"sum({REQUESTS})", unit=PER_SECOND),
                number(
                    "Errors",
                    "Share of the speech requests that were answered with 5xx except 503.",
                    f"(sum({FAILED}) or vector(0)) / sum({REQUESTS})",
                    unit=SHARE,
                    limits=Limits(0.001, 0.01),
                ),
                number(
                    "Audio",
                    "Seconds of audio synthesized per second.",
                    f"sum(rate(tts_audio_seconds_total{{{ALL}}}{RATE}))",
                ),
                number(
                    "Saturation",
                    "Share of all synthesis threads in use.",
                    f"sum({SYNTHESIS}) / sum(tts_threads{{{ALL}}})",
                    unit=SHARE,
                    limits=Limits(0.7, 0.9),
                ),
            ],
        ),
        Row(
            "Services",
            [
                listing(
                    "Services",
                    "The name leads to the service's dashboard. Ready is 0 during a rollout too. Up to zones, "
                    "from the operator.",
                    {"namespace": "Namespace", "service": "Service"},
                    *(
                        Query(_named(column.expression), column.legend, column.unit)
                        for column in (
                            Query(_per_job(_condition("Available")), "Available"),
                            Query(_per_job(_condition("Ready")), "Ready"),
                            Query(_per_job(READY_PODS), "Ready pods"),
                            Query(_per_job(PODS), "Pods"),
                            Query(_per_job(ZONES), "Zones"),
                            Query(REQUESTS, "Requests", PER_SECOND),
                            Query(f"({FAILED} or 0 * {REQUESTS}) / {REQUESTS}", "Errors", SHARE),
                            Query(P95, "P95 latency", SECONDS),
                            Query(FACTOR, "Real-time factor"),
                            Query(BUSY, "Saturation", SHARE),
                        )
                    ),
                    links=_LINK,
                )
            ],
        ),
        Row(
            "Compared",
            [
                graph(
                    "Requests",
                    "Speech requests per second, by service.",
                    Query(REQUESTS, "{{job}}"),
                    unit=PER_SECOND,
                    stacked=True,
                ),
                graph(
                    "Errors",
                    "Share of the speech requests that were answered with 5xx except 503, by service.",
                    Query(f"({FAILED} or 0 * {REQUESTS}) / {REQUESTS}", "{{job}}"),
                    unit=SHARE,
                ),
                graph(
                    "Refused",
                    "Share of the speech requests that were answered with 429 or 503, by service.",
                    Query(f"({REFUSED} or 0 * {REQUESTS}) / {REQUESTS}", "{{job}}"),
                    unit=SHARE,
                ),
                graph("P95 latency", "Of speech requests, by service.", Query(P95, "{{job}}"), unit=SECONDS),
                graph("P95 first audio", "Of speech requests, by service.", Query(FIRST, "{{job}}"), unit=SECONDS),
                graph(
                    "Saturation",
                    "Share of the synthesis threads in use, by service.",
                    Query(BUSY, "{{job}}"),
                    unit=SHARE,
                    maximum=1,
                ),
                graph(
                    "Ready pods by zone",
                    "Of all services. From the operator.",
                    Query(
                        f'sum by (zone) (tts_operator_service_pods{{{TOLD}, set!="worker", ready="true"}})',
                        "{{zone}}",
                    ),
                    stacked=True,
                ),
                graph(
                    "Engines",
                    "Pods of servers, by engine and version of the server.",
                    Query(f"count by (engine, version) (tts_build_info{{{ALL}}})", "{{engine}} {{version}}"),
                    stacked=True,
                ),
                graph(
                    "Real-time factor",
                    "Thread time for a second of audio, by service.",
                    Query(FACTOR, "{{job}}"),
                ),
            ],
        ),
    ],
)
