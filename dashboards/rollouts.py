"""The dashboard of rollouts: where each is, what the checks say, and how the new revision does beside the old one."""

from dashboards.board import NAMESPACE, SERVICE, Board, Row
from dashboards.panels import PER_SECOND, SECONDS, SHARE, Limits, Query, graph, listing, number, timeline
from dashboards.service import OURS, RATE, SPEECH, TOLD

_CANDIDATE = '"set", "candidate", "pod", ".+-candidate-[a-z0-9]+-[a-z0-9]+"'
"""Tells the pods of a candidate by their name. All others are stable."""


def _by_set(expression: str) -> str:
    stable = f'label_replace({expression}, "set", "stable", "", "")'
    return f"label_replace({stable}, {_CANDIDATE})"


def _rate(metric: str, selector: str) -> str:
    return _by_set(f"rate({metric}{{{selector}}}{RATE})")


REQUESTS = f"sum by (set) ({_rate('tts_requests_total', SPEECH)})"
FAILED_STATUS = 'status=~"5..", status!="503"'
FAILED = f"sum by (set) ({_rate('tts_requests_total', f'{SPEECH}, {FAILED_STATUS}')})"
P99 = f"histogram_quantile(0.99, sum by (le, set) ({_rate('tts_request_duration_seconds_bucket', SPEECH)}))"
FACTOR = (
    f"sum by (set) ({_rate('tts_synthesis_seconds_total', OURS)}) / "
    f"sum by (set) ({_rate('tts_audio_seconds_total', OURS)})"
)
WITH_REVISION = f"* on (pod) group_left (revision, version) max by (pod, revision, version) (tts_build_info{{{OURS}}})"
"""Adds the model's revision and the server's version to series by pod."""
BY_REVISION = f"sum by (revision, version) (sum by (pod) (rate(tts_requests_total{{{SPEECH}}}{RATE})) {WITH_REVISION})"
FAILED_BY_REVISION = (
    f"sum by (revision, version) (sum by (pod) (rate(tts_requests_total{{{SPEECH}, {FAILED_STATUS}}}{RATE})) "
    f"{WITH_REVISION})"
)
_NONE = "Empty while no rollout is in progress."

BOARD = Board(
    uid="tts-rollouts",
    title="TTS / Rollouts",
    description="Rollouts of one TTSService, and of all: step, share of the traffic, checks, and errors by revision.",
    variables=[NAMESPACE, SERVICE],
    rows=[
        Row(
            "All services",
            [
                listing(
                    "Rollouts",
                    "Rollouts in progress, and those that were rolled back, with the reason. From the operator.",
                    {"ttsservice": "Service", "revision": "Revision", "phase": "Phase", "reason": "Reason"},
                    Query(
                        "max by (ttsservice, revision, phase, reason) (tts_operator_rollout_info)",
                        "Rollouts",
                    ),
                    wide=14,
                ),
                graph(
                    "Analyses",
                    "Speech checks, and checks of live traffic, by result, for all services. From the operator.",
                    Query(f"sum by (result) (increase(tts_operator_rollout_analyses_total{RATE}))", "{{result}}"),
                    stacked=True,
                    wide=10,
                ),
            ],
        ),
        Row(
            "This service",
            [
                number(
                    "Step",
                    f"Current step of the canary, counted from 1. From the operator. {_NONE}",
                    f"max(tts_operator_rollout_step{{{TOLD}}})",
                ),
                number(
                    "Steps",
                    f"Number of steps of the canary. From the operator. {_NONE}",
                    f"max(tts_operator_rollout_steps{{{TOLD}}})",
                ),
                number(
                    "Traffic",
                    f"Share of the traffic that the new revision is to receive. From the operator. {_NONE}",
                    f"max(tts_operator_rollout_traffic_ratio{{{TOLD}}})",
                    unit=SHARE,
                ),
                number(
                    "Candidate pods",
                    "Pods of the new revision that are ready. From the operator.",
                    f'sum(tts_operator_service_pods{{{TOLD}, set="candidate", ready="true"}}) or vector(0)',
                ),
                number(
                    "Stable pods",
                    "Pods of the Deployment with the service's name that are ready. From the operator.",
                    f'sum(tts_operator_service_pods{{{TOLD}, set="stable", ready="true"}}) or vector(0)',
                ),
                number(
                    "Rolled back",
                    "1 if the newest revision was rolled back. From the operator.",
                    f'sum(tts_operator_rollout_info{{{TOLD}, phase="RolledBack"}}) or vector(0)',
                    limits=Limits(1, 1),
                ),
                number(
                    "Candidate errors",
                    "Share of the candidate's speech requests that were answered with 5xx except 503.",
                    f'(sum(({FAILED}) and on (set) label_replace(vector(1), "set", "candidate", "", "")) or vector(0)) '
                    f'/ sum(({REQUESTS}) and on (set) label_replace(vector(1), "set", "candidate", "", ""))',
                    unit=SHARE,
                    limits=Limits(0.001, 0.01),
                    wide=6,
                ),
                timeline(
                    "Phase",
                    f"Phase of the rollout, and the reason if it was rolled back. From the operator. {_NONE}",
                    Query(
                        f"max by (revision, phase, reason) (tts_operator_rollout_info{{{TOLD}}})",
                        "{{revision}} {{phase}} {{reason}}",
                    ),
                    wide=8,
                ),
                graph(
                    "Share of the traffic",
                    "What the new revision is to receive (from the operator), and what the candidate's pods received.",
                    Query(f"max(tts_operator_rollout_traffic_ratio{{{TOLD}}})", "planned"),
                    Query(
                        f'sum(({REQUESTS}) and on (set) label_replace(vector(1), "set", "candidate", "", "")) '
                        f"/ sum({REQUESTS})",
                        "received",
                    ),
                    unit=SHARE,
                    maximum=1,
                ),
                graph(
                    "Pods",
                    "Ready pods, stable and candidate. From the operator.",
                    Query(
                        f'sum by (set) (tts_operator_service_pods{{{TOLD}, set!="worker", ready="true"}})', "{{set}}"
                    ),
                    stacked=True,
                ),
            ],
        ),
        Row(
            "Candidate and stable",
            [
                graph(
                    "Requests",
                    "Speech requests per second.",
                    Query(REQUESTS, "{{set}}"),
                    unit=PER_SECOND,
                    stacked=True,
                ),
                graph(
                    "Errors",
                    "Share of the speech requests that were answered with 5xx except 503. See `rollout.analysis`.",
                    Query(f"({FAILED} or 0 * {REQUESTS}) / {REQUESTS}", "{{set}}"),
                    unit=SHARE,
                ),
                graph("P99 latency", "Of speech requests.", Query(P99, "{{set}}"), unit=SECONDS),
                graph(
                    "Real-time factor", "Thread time for a second of audio, by set of pods.", Query(FACTOR, "{{set}}")
                ),
                graph(
                    "Requests by revision",
                    "Speech requests per second, by revision of the model and version of the server. It also shows a "
                    "rolling update, in which all pods belong to one set.",
                    Query(BY_REVISION, "{{revision}} ({{version}})"),
                    unit=PER_SECOND,
                    stacked=True,
                ),
                graph(
                    "Errors by revision",
                    "Share of the speech requests that were answered with 5xx except 503, by revision of the model.",
                    Query(f"({FAILED_BY_REVISION} or 0 * {BY_REVISION}) / {BY_REVISION}", "{{revision}} ({{version}})"),
                    unit=SHARE,
                ),
            ],
        ),
    ],
)
