"""Statuses of small worlds."""

from typing import Any

from tests.unit.operator.worlds import NOW, container, plan_for, pod, world
from tts_operator.api import TTSService
from tts_operator.json_object import Json
from tts_operator.reconcile.children.changes import Applied
from tts_operator.reconcile.status.report import compute_status

OOM = pod(containers=[container(last={"terminated": {"exitCode": 137, "reason": "OOMKilled"}})])
NONE_AVAILABLE = {"readyReplicas": 0, "availableReplicas": 0}
REVISION = "narrator-1"


def of_world(asked: TTSService, now: str = NOW, *, spread: str = "", **what: Any) -> Json:
    return compute_status(asked, world(asked, **what), plan_for(asked, REVISION, spread=spread), Applied(), now)


def by_type(status: Json) -> dict[str, Json]:
    return {condition["type"]: condition for condition in status["conditions"]}
