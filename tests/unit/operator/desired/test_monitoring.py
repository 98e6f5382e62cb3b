"""The rules use only metrics that exist, and ask for what the spec asks for."""

import re
from dataclasses import replace

import prometheus_client
import pytest
from pydantic import ValidationError

from devcluster.product import ROOT
from tests.unit.operator.worlds import DEFAULTS, everything, service
from tts_operator.api.monitoring import FIRST_AUDIO_MILLISECONDS, Monitoring
from tts_operator.app.service_metrics import ServiceCollector
from tts_operator.desired import Defaults, children
from tts_operator.desired.monitoring.objectives import SPEECH
from tts_operator.desired.monitoring.states import INTENDED
from tts_operator.json_object import Json
from tts_operator.runtime import Store
from tts_server.api.errors import SPEECH_PATHS
from tts_server.api.schema.openapi import document
from tts_server.observability.backend_metrics import BackendMetrics
from tts_server.observability.metrics import Metrics

BOTH: Json = {"podMonitor": {"enabled": True}, "prometheusRule": {"enabled": True}}
OF_PODS = {
    "TTSServiceDown",
    "TTSServiceMetricsMissing",
    "TTSServiceAvailabilityBudgetBurn",
    "TTSServiceLatencyBudgetBurn",
}
"""The alerts that a service without pods cannot have."""


def rules(spec: Json | None = None, defaults: Defaults = DEFAULTS) -> list[Json]:
    asked = service(everything() if spec is None else spec)
    (rule,) = (each for each in children(asked, defaults) if each["kind"] == "PrometheusRule")
    found: list[Json] = rule["spec"]["groups"][0]["rules"]
    return found


def alerts(spec: Json | None = None, defaults: Defaults = DEFAULTS) -> list[Json]:
    return [each for each in rules(spec, defaults) if "alert" in each]


def test_every_metric_of_a_rule_exists() -> None:
    server, operator = Metrics(), prometheus_client.CollectorRegistry()
    server.set_job_waiting_seconds(1)
    BackendMetrics(server.registry, ready=bool, in_flight=int)
    pods = Store(key_of=lambda _: None)
    operator.register(ServiceCollector(services=[], pods=pods, zones={}, leading=lambda: True))
    served = {
        name
        for registry in (server.registry, operator)
        for family in registry.collect()
        for name in (family.name, *(f"{family.name}_{suffix}" for suffix in ("total", "bucket", "count")))
    }
    recorded = {each["record"] for each in rules() if "record" in each}
    named = {
        name for each in rules() for name in re.findall(r"(?<![:\w])[a-z_]+:tts_[\w:]+|(?<![:\w])tts_\w+", each["expr"])
    }
    assert recorded <= named
    assert len(named) > len(recorded)
    assert named <= served | recorded


def test_the_endpoints_of_the_rules_are_those_of_the_server() -> None:
    assert SPEECH.split("|") == sorted(SPEECH_PATHS, key=SPEECH.index)
    assert set(SPEECH.split("|")) <= document(max_input_characters=500)["paths"].keys()


def test_the_objective_can_ask_for_what_the_server_counts() -> None:
    (histogram,) = (each for each in Metrics().registry.collect() if each.name == "tts_time_to_first_audio_seconds")
    bounds = Metrics().first_audio_seconds._kwargs["buckets"]
    assert histogram.type == "histogram"
    assert [round(1000 * bound) for bound in bounds if bound >= 0.1] == list(FIRST_AUDIO_MILLISECONDS)


@pytest.mark.parametrize(
    "spec, told",
    [({}, True), ({"replicas": 0}, False), ({"autoscaling": {}}, True)],
    ids=["pods", "none, as asked for", "as many as the load needs"],
)
def test_alerts_on_pods_are_only_for_services_that_are_to_have_some(spec: Json, told: bool) -> None:
    named = {each["alert"] for each in alerts({"monitoring": BOTH, **spec})}
    assert OF_PODS & named == (OF_PODS if told else set())
    assert "TTSServiceNotReady" in named


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
    found = {each["alert"]: each["expr"] for each in alerts({"monitoring": BOTH, "jobs": jobs})}
    assert f'{{job="{job}"}}' in found["TTSServiceJobStorageFailing"]
    assert f'tts_job_segments_total{{job="{job}"}}' in found["TTSServiceJobsStuck"]


@pytest.mark.parametrize(
    "monitoring, milliseconds",
    [
        ({}, 1200),
        ({"objectives": {"latency": {"firstAudioMilliseconds": 800}}}, 800),
        ({"prometheusRule": {"maxP99Milliseconds": 1200}}, 1200),
        ({"prometheusRule": {"maxP99Milliseconds": 2500}}, 3000),
        ({"prometheusRule": {"maxP99Milliseconds": 600000}}, 30000),
        (
            {
                "prometheusRule": {"maxP99Milliseconds": 2500},
                "objectives": {"latency": {"firstAudioMilliseconds": 800}},
            },
            800,
        ),
    ],
    ids=str,
)
def test_the_latency_that_is_asked_for(monitoring: Json, milliseconds: int) -> None:
    assert Monitoring.model_validate(monitoring).first_audio_milliseconds == milliseconds


@pytest.mark.parametrize("target", ["100%", "94.9%", "99.991%", "99.9", "", '99%"} or vector(1)'])
def test_targets_that_no_alert_could_watch(target: str) -> None:
    with pytest.raises(ValidationError):
        Monitoring.model_validate({"objectives": {"availability": {"target": target}}})


def test_burn_rates_follow_from_the_target() -> None:
    asked = {**BOTH, "objectives": {"availability": {"target": "99.95%"}}}
    found = [each for each in alerts({"monitoring": asked}) if each["alert"] == "TTSServiceAvailabilityBudgetBurn"]
    limits = [re.findall(r"> (\S+)", each["expr"]) for each in found]
    assert limits == [["0.0072"] * 2, ["0.003"] * 2, ["0.0005"] * 2]
    assert [each["labels"]["severity"] for each in found] == ["critical", "critical", "warning"]


@pytest.mark.parametrize("seconds, window", [(5, 300), (60, 300), (600, 2400)])
def test_rates_have_enough_scrapes(seconds: int, window: int) -> None:
    asked = {**BOTH, "podMonitor": {"enabled": True, "intervalSeconds": seconds}}
    (requests,) = (
        each for each in rules({"monitoring": asked}) if each.get("record", "").endswith(":tts_requests:rate")
    )
    assert set(re.findall(r"\[(\d+)s\]", requests["expr"])) == {str(window)}


def test_what_somebody_wants_is_a_reason_that_a_status_has() -> None:
    reasons = re.findall(r"^\| `(\w+)`", (ROOT / "docs/operations.md").read_text(), re.MULTILINE)
    assert set(INTENDED) <= set(reasons)


def test_alerts_are_for_people() -> None:
    for alert in alerts():
        assert alert["labels"]["severity"] in ("critical", "warning")
        assert (alert["labels"]["namespace"], alert["labels"]["service"]) == ("speech", "narrator")
        notes = alert["annotations"]
        assert "speech/narrator" in notes["summary"]
        assert notes["description"].endswith(".")
        assert notes["runbook"].startswith(f"docs/runbooks/{alert['alert']}.md ")
        assert "runbook_url" not in notes


def test_alerts_link_to_runbooks_that_are_published() -> None:
    published = replace(DEFAULTS, runbooks="https://wiki.example.com/tts/{alert}")
    for alert in alerts(defaults=published):
        assert alert["annotations"]["runbook_url"] == f"https://wiki.example.com/tts/{alert['alert']}"
        assert "runbook" not in alert["annotations"]
