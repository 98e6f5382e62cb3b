"""The dashboard of long texts: what waits, what ends how, and who works."""

from dashboards.board import NAMESPACE, SERVICE, Board, Row
from dashboards.panels import SECONDS, SHARE, Limits, Query, graph, number
from dashboards.service import OURS, RATE, TOLD

WORKERS = 'job=~"$namespace/$service(-worker)?"'
"""Selects all that speaks jobs: the workers with Kafka, the servers without."""
_BUSY = f"sum(rate(tts_synthesis_seconds_total{{{WORKERS}}}{RATE})) / sum(tts_threads{{{WORKERS}}})"
_PER_MINUTE = "Per minute."

BOARD = Board(
    uid="tts-jobs",
    title="TTS / Jobs",
    description="Long texts of one TTSService (spec.jobs): what waits, how jobs end, and the workers.",
    variables=[NAMESPACE, SERVICE],
    hours=6,
    rows=[
        Row(
            "Now",
            [
                number(
                    "Waiting",
                    "About the thread time of the tasks that wait in Kafka or are in progress. Empty without Kafka.",
                    f"max(tts_job_waiting_seconds{{{OURS}}})",
                    unit=SECONDS,
                    wide=4,
                ),
                number(
                    "Segments waiting",
                    "Segments of jobs that no thread has taken yet.",
                    f"sum(tts_job_segments_waiting{{{WORKERS}}})",
                    wide=4,
                ),
                number(
                    "Completed",
                    "Jobs that were completed in the period shown.",
                    f'sum(increase(tts_jobs_total{{{WORKERS}, outcome="completed"}}[$__range]))',
                    decimals=0,
                    wide=4,
                ),
                number(
                    "Failed",
                    "Jobs that failed in the period shown. Their status says why.",
                    f'sum(increase(tts_jobs_total{{{WORKERS}, outcome="failed"}}[$__range]))',
                    decimals=0,
                    limits=Limits(1, 10),
                    wide=4,
                ),
                number(
                    "Storage failures",
                    "Tasks in the period shown that could not read or write the storage. They are tried again.",
                    f"sum(increase(tts_job_storage_failures_total{{{WORKERS}}}[$__range]))",
                    decimals=0,
                    limits=Limits(1, 10),
                    wide=4,
                ),
                number(
                    "Workers",
                    "Workers that have loaded their model. Without Kafka, servers speak jobs, and this counts them.",
                    f'sum(tts_model_ready{{{WORKERS}, job=~".*-worker"}}) or sum(tts_model_ready{{{WORKERS}}})',
                    wide=4,
                ),
            ],
        ),
        Row(
            "Queue",
            [
                graph(
                    "Waiting",
                    "About the thread time of the tasks that wait in Kafka or are in progress: what the workers are "
                    "scaled by. Empty without Kafka.",
                    Query(f"max(tts_job_waiting_seconds{{{OURS}}})", "thread time"),
                    unit=SECONDS,
                ),
                graph(
                    "Segments waiting",
                    "Segments that no thread has taken yet, by pod.",
                    Query(f"sum by (pod) (tts_job_segments_waiting{{{WORKERS}}})", "{{pod}}"),
                    stacked=True,
                ),
                graph(
                    "Segments",
                    f"Segments made, and found because they had been made before. {_PER_MINUTE}",
                    Query(f"60 * sum by (result) (rate(tts_job_segments_total{{{WORKERS}}}{RATE}))", "{{result}}"),
                    stacked=True,
                ),
                graph(
                    "Ends of jobs",
                    f"Jobs that ended, by outcome. {_PER_MINUTE}",
                    Query(f"60 * sum by (outcome) (rate(tts_jobs_total{{{WORKERS}}}{RATE}))", "{{outcome}}"),
                    stacked=True,
                ),
                graph(
                    "Storage failures",
                    f"Tasks that could not read or write the storage, by pod. {_PER_MINUTE}",
                    Query(f"60 * sum by (pod) (rate(tts_job_storage_failures_total{{{WORKERS}}}{RATE}))", "{{pod}}"),
                    stacked=True,
                ),
                graph(
                    "Audio",
                    "Seconds of audio that workers made per second. Without Kafka, of the servers.",
                    Query(f"sum by (job) (rate(tts_audio_seconds_total{{{WORKERS}}}{RATE}))", "{{job}}"),
                    stacked=True,
                ),
            ],
        ),
        Row(
            "Workers",
            [
                graph(
                    "Pods of workers",
                    "By zone and readiness. From the operator. Empty without Kafka.",
                    Query(
                        f'sum by (zone, ready) (tts_operator_service_pods{{{TOLD}, set="worker"}})',
                        "{{zone}} ready={{ready}}",
                    ),
                    stacked=True,
                ),
                graph(
                    "Saturation",
                    "Share of the synthesis threads in use, of servers and workers together, and by job.",
                    Query(_BUSY, "all"),
                    Query(
                        f"sum by (job) (rate(tts_synthesis_seconds_total{{{WORKERS}}}{RATE})) "
                        f"/ sum by (job) (tts_threads{{{WORKERS}}})",
                        "{{job}}",
                    ),
                    unit=SHARE,
                    maximum=1,
                ),
                graph(
                    "CPU",
                    "Cores in use, by pod.",
                    Query(f"sum by (pod) (rate(process_cpu_seconds_total{{{WORKERS}}}{RATE}))", "{{pod}}"),
                    stacked=True,
                ),
            ],
        ),
    ],
)
