"""The alerts use only metrics that the server exports."""

import re

import pytest

from tests.unit.operator.worlds import DEFAULTS, everything, service
from tts_operator.desired import children
from tts_operator.desired.monitoring import SPEECH
from tts_operator.json_object import Json
from tts_server.api.schema.openapi import document
from tts_server.observability.metrics import Metrics

BOTH: Json = {"podMonitor": {"enabled": True}, "prometheusRule": {"enabled": True}}


def alerts(spec: Json | None = None) -> list[Json]:
    asked = service(everything() if spec is None else spec)
    (rule,) = (each for each in children(asked, DEFAULTS) if each["kind"] == "PrometheusRule")
    found: list[Json] = rule["spec"]["groups"][0]["rules"]
    return found


def test_every_metric_of_an_alert_is_one_of_the_server() -> None:
    served = {
        name
        for family in Metrics().registry.collect()
        for name in (family.name, f"{family.name}_total", f"{family.name}_bucket")
    }
    named = {name for alert in alerts() for name in re.findall(r"\btts_\w+", alert["expr"])}
    assert named
    assert named <= served


def test_the_endpoints_of_the_alerts_are_those_of_the_server() -> None:
    assert set(SPEECH.split("|")) <= document(max_input_characters=500)["paths"].keys()


@pytest.mark.parametrize(
    "spec, told",
    [
        ({"monitoring": BOTH}, True),
        ({"monitoring": BOTH, "replicas": 0}, False),
        ({"monitoring": BOTH, "autoscaling": {}}, True),
        ({"monitoring": {"prometheusRule": {"enabled": True}}}, False),
    ],
    ids=["pods", "none, as asked for", "as many as the load needs", "nobody reads their figures"],
)
def test_that_no_pod_speaks_is_told_only_where_it_would_be_news(spec: Json, told: bool) -> None:
    assert ("TTSServiceDown" in {alert["alert"] for alert in alerts(spec)}) is told
    assert len(alerts(spec)) == 4 + told


@pytest.mark.parametrize(
    "jobs, job",
    [
        ({"storage": {"persistentVolumeClaim": {}}}, "speech/narrator"),
        (
            {"storage": {"persistentVolumeClaim": {}}, "kafka": {"bootstrapServers": ["kafka:9092"]}},
            "speech/narrator-worker",
        ),
    ],
    ids=["the server speaks them", "workers speak them"],
)
def test_jobs_that_wait_are_told_by_who_speaks_them(jobs: Json, job: str) -> None:
    (waiting,) = (
        each for each in alerts({"monitoring": BOTH, "jobs": jobs}) if each["alert"] == "TTSServiceJobsWaiting"
    )
    assert f'{{job="{job}"}}' in waiting["expr"]


@pytest.mark.parametrize("limit, seconds", [({}, "1.2"), ({"maxP99Milliseconds": 8000}, "8")])
def test_the_latency_that_is_told(limit: Json, seconds: str) -> None:
    rule = {**BOTH, "prometheusRule": {"enabled": True, **limit}}
    (slow,) = (alert for alert in alerts({"monitoring": rule}) if alert["alert"] == "TTSServiceSlow")
    assert slow["expr"].endswith(f" > {seconds}")
    assert slow["annotations"]["summary"].endswith(f"longer than {seconds} s")


def test_alerts_are_for_people() -> None:
    assert {alert["labels"]["severity"] for alert in alerts()} <= {"critical", "warning"}
    assert all("speech/narrator" in alert["annotations"]["summary"] for alert in alerts())
