"""The operator's metrics about the state of each TTSService, for alerts: its conditions, and the phase of its rollout.

`ttsservice` is NAMESPACE/NAME, as the `job` of the PodMonitor's metrics is, so that queries can join the two. Labels
named `namespace` or `service` would give way to those that Prometheus adds for the operator's own pod.
"""

import datetime
from collections.abc import Callable, Iterable, Iterator

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from tts_operator.json_object import Json
from tts_operator.reconcile.rollout.state import RolloutState
from tts_operator.reconcile.status.deployment import SCALED_TO_ZERO

CONDITIONS = frozenset({"Ready", "Available"})
INTENDED = frozenset({SCALED_TO_ZERO, "RolloutPaused", "Undone"})
"""Reasons of a condition that is False because somebody wants it so."""


class ConditionCollector(Collector):
    """Computed when scraped. Only the active replica reports them, because others may see them late."""

    def __init__(self, *, services: Iterable[Json], leading: Callable[[], bool]) -> None:
        self._services = services
        self._leading = leading

    def collect(self) -> Iterator[Metric]:
        """Compute the current metrics."""
        conditions = GaugeMetricFamily(
            "tts_operator_service_condition",
            "1 while the condition Ready or Available of a TTSService is True, 0 while it is not. Absent while "
            "somebody wants it to be False: with no replicas, a paused rollout, or one that was undone.",
            labels=["ttsservice", "condition"],
        )
        phases = GaugeMetricFamily(
            "tts_operator_rollout_phase_start_time_seconds",
            "Unix time at which the rollout of a TTSService entered its phase or step. reason: why it fails. Absent "
            "without a rollout.",
            labels=["ttsservice", "phase", "reason"],
        )
        for body in self._services if self._leading() else ():
            name, status = f"{body['metadata']['namespace']}/{body['metadata']['name']}", body.get("status", {})
            for each in status.get("conditions", ()):
                if each["type"] in CONDITIONS and each["reason"] not in INTENDED:
                    conditions.add_metric([name, each["type"]], float(each["status"] == "True"))
            state = RolloutState.read(status)
            if state is not None:
                began = datetime.datetime.fromisoformat(state.since).timestamp()
                phases.add_metric([name, str(state.phase), state.reason], began)
        yield from (conditions, phases)
