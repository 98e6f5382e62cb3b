"""The alerts of the chart's PrometheusRule, about the operator, fire for their cause, and for nothing else."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path
from typing import NoReturn

import pytest
import yaml

from devcluster.host import debian
from devcluster.host.debian import Requirement
from devcluster.progress import Progress
from tests.integration.operator.promtool import Scenario, check, counting, evaluate, steady
from tests.integration.operator.test_chart import chart, one, template, variables
from tts_operator.app.metrics import Metrics, StateCollector
from tts_operator.fencing import Fence, Peers
from tts_operator.json_object import Json
from tts_operator.kube import Client
from tts_operator.runtime import WorkQueue

OURS = 'namespace="speech-system",pod="a"'
STANDBY = 'namespace="speech-system",pod="b"'


def no_session() -> NoReturn:
    raise AssertionError("no request is made")


def passes(result: str, values: str) -> dict[str, str]:
    return {f'tts_operator_reconcile_seconds_count{{{OURS},result="{result}"}}': values}


def oldest(lane: str, values: str) -> dict[str, str]:
    return {f'tts_operator_queue_oldest_seconds{{{OURS},lane="{lane}"}}': values}


def restarts(resource: str, values: str) -> dict[str, str]:
    return {f'tts_operator_watch_restarts_total{{{OURS},resource="{resource}"}}': values}


def leader(values: str, standby: str = steady(0)) -> dict[str, str]:
    return {f"tts_operator_leader{{{OURS}}}": values, f"tts_operator_leader{{{STANDBY}}}": standby}


def fenced(values: str) -> dict[str, str]:
    return {f"tts_operator_fenced_pods{{{OURS}}}": values}


def unseen(values: str) -> dict[str, str]:
    return {f'tts_operator_nodes{{{OURS},sight="Unknown"}}': values}


HEALTHY = {
    **leader(steady(1)),
    **passes("success", counting(10)),
    **passes("retry", counting(0.1)),
    **passes("error", steady(0)),
    **oldest("fast", steady(1)),
    **oldest("slow", steady(2)),
    **restarts("pods", steady(2)),
    **fenced(steady(0)),
    **unseen(steady(0)),
}
SCENARIOS = [
    Scenario(name="healthy", at="1m 10m 30m 60m"),
    Scenario(name="no replica", series=dict.fromkeys(HEALTHY, "_x121"), firing={"TTSOperatorDown": ""}),
    Scenario(name="no replica, as asked for", series=dict.fromkeys(HEALTHY, "_x121"), spec={"replicas": 0}),
    Scenario(name="nobody leads", series=leader("1x30 0x90"), firing={"TTSOperatorDown": ""}),
    Scenario(name="another replica takes over", series=leader("1x30 0x90", "0x31 1x89")),
    Scenario(name="a bug", series=passes("error", "0x20 1+1x100"), firing={"TTSOperatorReconcileErrors": ""}),
    Scenario(name="one pass fails unexpectedly", series=passes("error", "0x20 1x100")),
    Scenario(
        name="one pass in four fails", series=passes("retry", counting(3)), firing={"TTSOperatorReconcileErrors": ""}
    ),
    Scenario(
        name="one service of an idle operator fails",
        series=passes("success", steady(100)) | passes("retry", counting(0.2)),
    ),
    Scenario(name="keys wait", series=oldest("fast", "0+30x60 1800x60"), firing={"TTSOperatorBehind": ""}),
    Scenario(name="failing keys wait", series=oldest("failing", steady(300))),
    Scenario(
        name="a watch fails",
        series=restarts("pods", "0+1x121"),
        firing={"TTSOperatorWatchFailing": ""},
        value="pods",
        at="45m",
    ),
    Scenario(name="the API server restarts", series=restarts("pods", "0x30 3x90")),
    Scenario(name="pods are fenced", series=fenced(steady(3)), firing={"TTSOperatorPodsFenced": ""}, value="3"),
    Scenario(name="pods are fenced for a moment", series=fenced("0x20 3x6 0x90")),
    Scenario(
        name="nodes cannot be reached",
        series=unseen(steady(2)),
        firing={"TTSOperatorNodesUnseen": ""},
        value="2",
        at="61m",
    ),
    Scenario(name="without fencing", series=unseen(steady(2)), spec={"fencing": {"enabled": False}}, at="61m"),
]


@pytest.fixture(scope="module", autouse=True)
def promtool() -> None:
    debian.ensure([Requirement("promtool", "prometheus")], Progress())


def rule(helm: Path, folder: Path, values: Json) -> Json:
    """The spec of the chart's PrometheusRule."""
    monitoring: Json = {"monitoring": {"prometheusRule": {"enabled": True, "labels": {"release": "prometheus"}}}}
    made = one(chart(helm, folder, {**monitoring, **values}), "PrometheusRule")
    assert made["metadata"]["labels"]["release"] == "prometheus"
    spec: Json = made["spec"]
    return spec


def test_what_fires(helm: Path, tmp_path: Path) -> None:
    @lru_cache
    def rendered(values: str) -> Json:
        return rule(helm, tmp_path, yaml.safe_load(values))

    evaluate(tmp_path, SCENARIOS, rules_of=lambda spec: rendered(yaml.safe_dump(spec)), healthy=HEALTHY)
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(rendered("{}")))
    check(tmp_path, "check", "rules", "rules.yaml")
    alerts = [each["alert"] for each in rendered("{}")["groups"][0]["rules"]]
    assert set(alerts) == {name for scenario in SCENARIOS for name in scenario.firing}


def test_every_metric_of_a_rule_is_one_of_the_operator(helm: Path, tmp_path: Path) -> None:
    metrics = Metrics()
    peers = Peers(list, own_name="", port=1)
    fence = Fence(Client(no_session, ""), pods=[], zones={}, peers=peers, leading=lambda: True)
    state = StateCollector(queue=WorkQueue(), services=[], informers=[], leading=lambda: True, fence=fence)
    metrics.registry.register(state)
    served = {
        name
        for family in metrics.registry.collect()
        for name in (family.name, f"{family.name}_total", f"{family.name}_count")
    }
    named = {
        name
        for each in rule(helm, tmp_path, {})["groups"][0]["rules"]
        for name in re.findall(r"\btts_\w+", each["expr"])
    }
    assert named
    assert named <= served


def test_there_are_no_rules_unless_asked_for(helm: Path, tmp_path: Path) -> None:
    assert not [body for body in chart(helm, tmp_path) if body["kind"] == "PrometheusRule"]


@pytest.mark.parametrize(
    "address, wanted",
    [
        ("", {"runbook": "docs/runbooks/TTSOperatorDown.md in the repository of tts-operator"}),
        ("https://wiki.example.com/{alert}#top", {"runbook_url": "https://wiki.example.com/TTSOperatorDown#top"}),
    ],
    ids=["nobody publishes them", "published"],
)
def test_where_an_alert_leads(helm: Path, tmp_path: Path, address: str, wanted: dict[str, str]) -> None:
    values: Json = {"monitoring": {"prometheusRule": {"enabled": True, "runbooks": address}}}
    bodies = chart(helm, tmp_path, values)
    down, *_ = one(bodies, "PrometheusRule")["spec"]["groups"][0]["rules"]
    assert wanted.items() <= down["annotations"].items()
    assert len([name for name in down["annotations"] if name.startswith("runbook")]) == 1
    # The operator writes the alerts of TTSServices, and gets the same address.
    assert variables(bodies).get("TTS_OPERATOR_RUNBOOKS", "") == address


def test_the_address_of_a_runbook_needs_a_place_for_the_alert(helm: Path, tmp_path: Path) -> None:
    done = template(helm, tmp_path, {"monitoring": {"prometheusRule": {"runbooks": "https://runbooks.example.com"}}})
    assert done.returncode != 0
    assert "runbooks" in done.stderr
