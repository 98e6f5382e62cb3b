"""The dashboard of cost: what an hour of audio takes, who asks for it, and what stands idle."""

from dashboards.board import NAMESPACES, Board, Row
from dashboards.panels import BYTES, SECONDS, SHARE, Limits, Query, graph, listing, number

ALL = 'namespace=~"$namespace"'
"""Selects servers and workers: both cost."""
RATE = "[$__rate_interval]"
RANGE = "[$__range]"
_PODS = f"max by (namespace, pod) (tts_build_info{{{ALL}}})"
"""1 for each pod of ours: a Prometheus has the metrics of other processes too."""


def _cores(window: str) -> str:
    """The cores that each pod uses, by namespace, job, and pod."""
    return (
        f"sum by (namespace, job, pod) (rate(process_cpu_seconds_total{{{ALL}}}{window})) "
        f"and on (namespace, pod) {_PODS}"
    )


def _audio(window: str) -> str:
    return f"rate(tts_audio_seconds_total{{{ALL}}}{window})"


DELIVERED = f"sum(rate(tts_key_audio_seconds_total{{{ALL}}}{RATE}))"
BUSY = f"sum(rate(tts_synthesis_seconds_total{{{ALL}}}{RATE})) / sum(tts_threads{{{ALL}}})"

BOARD = Board(
    uid="tts-cost",
    title="TTS / Cost",
    description="What an hour of audio takes in CPU, who asks for it, and what stands idle.",
    variables=[NAMESPACES],
    hours=24,
    rows=[
        Row(
            "The period shown",
            [
                number(
                    "Core-seconds per hour of audio",
                    "CPU of all servers and workers for an hour of synthesized audio, with all that they do besides.",
                    f"3600 * sum({_cores(RANGE)}) / sum({_audio(RANGE)})",
                    unit=SECONDS,
                    wide=5,
                ),
                number(
                    "Core-seconds per hour delivered",
                    "The same for an hour of audio that clients received. Caches make it less.",
                    f"3600 * sum({_cores(RANGE)}) / sum(rate(tts_key_audio_seconds_total{{{ALL}}}{RANGE}))",
                    unit=SECONDS,
                    wide=5,
                ),
                number(
                    "Audio delivered",
                    "Length of the audio that clients received.",
                    f"sum(increase(tts_key_audio_seconds_total{{{ALL}}}{RANGE}))",
                    unit=SECONDS,
                    wide=4,
                ),
                number(
                    "Saved by caches",
                    "Share of the delivered audio that needed no synthesis.",
                    f"clamp_min(1 - sum({_audio(RANGE)}) / sum(rate(tts_key_audio_seconds_total{{{ALL}}}{RANGE})), 0)",
                    unit=SHARE,
                    wide=4,
                ),
                number(
                    "Threads in use",
                    "Share of the synthesis threads in use now. What is low all day can be scaled down.",
                    BUSY,
                    unit=SHARE,
                    limits=Limits(0.15, 0.05, falling=True),
                    wide=3,
                ),
                number("Pods", "Pods of servers and workers now.", f"count({_PODS})", wide=3),
            ],
        ),
        Row(
            "By service",
            [
                graph(
                    "Core-seconds per hour of audio",
                    "CPU of each service's servers and of its workers for an hour of synthesized audio.",
                    Query(f"3600 * sum by (job) ({_cores(RATE)}) / sum by (job) ({_audio(RATE)})", "{{job}}"),
                    unit=SECONDS,
                ),
                graph(
                    "CPU",
                    "Cores in use.",
                    Query(f"sum by (job) ({_cores(RATE)})", "{{job}}"),
                    stacked=True,
                ),
                graph(
                    "Memory",
                    "Resident memory of servers and workers.",
                    Query(
                        f"sum by (job) (process_resident_memory_bytes{{{ALL}}} and on (namespace, pod) {_PODS})",
                        "{{job}}",
                    ),
                    unit=BYTES,
                    stacked=True,
                ),
                graph(
                    "Pods",
                    "What runs, busy or not.",
                    Query(f"count by (job) (tts_build_info{{{ALL}}})", "{{job}}"),
                    stacked=True,
                ),
                graph(
                    "Threads in use",
                    "Share of the synthesis threads in use. The rest waits for requests.",
                    Query(
                        f"sum by (job) (rate(tts_synthesis_seconds_total{{{ALL}}}{RATE})) "
                        f"/ sum by (job) (tts_threads{{{ALL}}})",
                        "{{job}}",
                    ),
                    unit=SHARE,
                    maximum=1,
                ),
                graph(
                    "Audio",
                    "Seconds of audio per second: synthesized and delivered.",
                    Query(f"sum({_audio(RATE)})", "synthesized"),
                    Query(DELIVERED, "delivered"),
                ),
            ],
        ),
        Row(
            "By tenant",
            [
                listing(
                    "Tenants",
                    "By the name of the API key, for the period shown. The CPU is that of the service, shared by the "
                    "length of the audio. `anonymous`: without keys; `operator`: the operator's speech checks.",
                    {"key": "Key"},
                    Query(f"sum by (key) (increase(tts_key_audio_seconds_total{{{ALL}}}{RANGE}))", "Audio", SECONDS),
                    Query(f"sum by (key) (increase(tts_key_characters_total{{{ALL}}}{RANGE}))", "Characters"),
                    Query(
                        f"sum by (key) (rate(tts_key_audio_seconds_total{{{ALL}}}{RANGE})) / ignoring (key) group_left "
                        f"sum(rate(tts_key_audio_seconds_total{{{ALL}}}{RANGE}))",
                        "Share",
                        SHARE,
                    ),
                    Query(
                        "sum by (key) (sum by (key, namespace, job) "
                        f"(increase(tts_key_audio_seconds_total{{{ALL}}}{RANGE})) "
                        "/ on (namespace, job) group_left "
                        f"sum by (namespace, job) (increase(tts_key_audio_seconds_total{{{ALL}}}{RANGE})) "
                        "* on (namespace, job) group_left "
                        f"sum by (namespace, job) (increase(process_cpu_seconds_total{{{ALL}}}{RANGE})))",
                        "CPU",
                        SECONDS,
                    ),
                    wide=12,
                ),
                graph(
                    "Audio by tenant",
                    "Seconds of audio delivered per second, by the name of the API key.",
                    Query(f"sum by (key) (rate(tts_key_audio_seconds_total{{{ALL}}}{RATE}))", "{{key}}"),
                    stacked=True,
                    wide=6,
                ),
                graph(
                    "Characters by tenant",
                    "Characters spoken per second, by the name of the API key.",
                    Query(f"sum by (key) (rate(tts_key_characters_total{{{ALL}}}{RATE}))", "{{key}}"),
                    stacked=True,
                    wide=6,
                ),
            ],
        ),
    ],
)
