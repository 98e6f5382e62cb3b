"""The operator's metrics of each TTSService: its conditions, its pods by zone, and where its rollout is.

`ttsservice` is NAMESPACE/NAME, as the `job` of the PodMonitor's metrics is, so that queries can join the two. Labels
named `namespace` or `service` would give way to those that Prometheus adds for the operator's own pod.
"""

import datetime
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import cast

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from tts_operator.json_object import Json
from tts_operator.objects import Pod
from tts_operator.reconcile.observed.pods import is_backend, is_candidate, is_ready, is_worker
from tts_operator.reconcile.rollout.state import RolloutState
from tts_operator.runtime import Store

CONDITIONS = frozenset({"Ready", "Available"})
ALL_TRAFFIC = {"Switched"}
"""Phases in which the new revision receives all traffic."""
NO_TRAFFIC = {"Checking", "Scaling", "Previewing", "RolledBack"}
"""Phases without a weight in which it receives none. In the others, old and new pods share it by their number."""


class ServiceCollector(Collector):
    """Computed from the caches when scraped. Only the active replica has them, so that sums count each pod once."""

    def __init__(
        self, *, services: Iterable[Json], pods: Store, zones: Mapping[str, str], leading: Callable[[], bool]
    ) -> None:
        self._services = services
        self._pods = pods
        self._zones = zones
        self._leading = leading

    def collect(self) -> Iterator[Metric]:
        """Compute the current metrics."""
        conditions = GaugeMetricFamily(
            "tts_operator_service_condition",
            "1 while the condition Ready or Available of a TTSService is True, 0 while it is not, with its reason. "
            "Absent before the first pass.",
            labels=["ttsservice", "condition", "reason"],
        )
        pods = GaugeMetricFamily(
            "tts_operator_service_pods",
            "Pods of a TTSService, by set (stable, candidate, worker, or backend), zone, and whether they are ready.",
            labels=["ttsservice", "set", "zone", "ready"],
        )
        info = GaugeMetricFamily(
            "tts_operator_rollout_info",
            "1 for each rollout that is in progress or was rolled back, with the reason if it was.",
            labels=["ttsservice", "revision", "phase", "reason"],
        )
        began = GaugeMetricFamily(
            "tts_operator_rollout_phase_start_time_seconds",
            "Unix time at which the rollout of a TTSService entered its phase or step. reason: why it fails. Absent "
            "without a rollout.",
            labels=["ttsservice", "phase", "reason"],
        )
        step = GaugeMetricFamily(
            "tts_operator_rollout_step", "Current step of a canary, counted from 1.", labels=["ttsservice"]
        )
        steps = GaugeMetricFamily("tts_operator_rollout_steps", "Number of steps of a canary.", labels=["ttsservice"])
        share = GaugeMetricFamily(
            "tts_operator_rollout_traffic_ratio",
            "Share of the traffic that the new revision is to receive, from 0 to 1.",
            labels=["ttsservice"],
        )
        for body in self._services if self._leading() else ():
            name = f"{body['metadata']['namespace']}/{body['metadata']['name']}"
            status = body.get("status", {})
            for each in status.get("conditions", ()):
                if each["type"] in CONDITIONS:
                    conditions.add_metric([name, each["type"], each["reason"]], float(each["status"] == "True"))
            state = RolloutState.read(status)
            if state is not None:
                since = datetime.datetime.fromisoformat(state.since).timestamp()
                began.add_metric([name, str(state.phase), state.reason], since)
            for labels, number in sorted(self._count(body).items()):
                pods.add_metric([name, *labels], number)
            rollout = status.get("rollout")
            if rollout is None:
                continue
            info.add_metric([name, rollout["revision"], rollout["phase"], rollout.get("reason", "")], 1)
            if "currentStep" in rollout:
                step.add_metric([name], rollout["currentStep"])
                steps.add_metric([name], rollout.get("steps", 0))
            if (found := _traffic(status, rollout["phase"])) is not None:
                share.add_metric([name], found)
        yield from (conditions, pods, info, began, step, steps, share)

    def _count(self, body: Json) -> Counter[tuple[str, str, str]]:
        """Count the pods of a service by set, zone, and readiness."""
        found = cast("list[Pod]", self._pods.of((body["metadata"]["namespace"], body["metadata"]["name"])))
        return Counter((_set(pod), self._zone(pod), str(is_ready(pod)).lower()) for pod in found)

    def _zone(self, pod: Pod) -> str:
        node = pod.get("spec", {}).get("nodeName") or ""
        return self._zones.get(node, "")


def _set(pod: Pod) -> str:
    if is_worker(pod):
        return "worker"
    if is_backend(pod):
        return "backend"
    return "candidate" if is_candidate(pod) else "stable"


def _traffic(status: Json, phase: str) -> float | None:
    """The share of the new revision; None if only the number of pods decides."""
    if "canaryWeight" in status:
        return float(status["canaryWeight"]) / 100
    if phase in ALL_TRAFFIC:
        return 1.0
    return 0.0 if phase in NO_TRAFFIC else None
