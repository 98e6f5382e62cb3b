"""The alerts of a service's PrometheusRule fire for their cause, and for nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from devcluster.host import debian
from devcluster.host.debian import Requirement
from devcluster.progress import Progress
from tests.integration.operator.alert_scenarios import ALONE, KAFKA, LONG, SCENARIOS, healthy
from tests.integration.operator.promtool import check, evaluate
from tests.unit.operator.worlds import DEFAULTS, service
from tts_operator.desired import children
from tts_operator.json_object import Json

BOTH: Json = {"podMonitor": {"enabled": True}, "prometheusRule": {"enabled": True}}


def rule(spec: Json) -> Json:
    """The spec of the operator's PrometheusRule."""
    asked = service({"jobs": KAFKA, **spec, "monitoring": BOTH | spec.get("monitoring", {})})
    (found,) = (each for each in children(asked, DEFAULTS) if each["kind"] == "PrometheusRule")
    made: Json = found["spec"]
    return made


@pytest.fixture(scope="module", autouse=True)
def promtool() -> None:
    debian.ensure([Requirement("promtool", "prometheus")], Progress())


@pytest.mark.parametrize("spec", [{}, {"jobs": ALONE}, {"replicas": 0}], ids=str)
def test_prometheus_accepts_the_rules(tmp_path: Path, spec: Json) -> None:
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(rule(spec)))
    check(tmp_path, "check", "rules", "rules.yaml")


def test_what_fires_within_an_hour(tmp_path: Path) -> None:
    evaluate(tmp_path, SCENARIOS, rules_of=rule, healthy=healthy())


def test_what_fires_within_days(tmp_path: Path) -> None:
    evaluate(tmp_path, LONG, rules_of=rule, healthy=healthy(), interval="15m")


def test_every_alert_fires_for_its_cause() -> None:
    alerts = {each["alert"] for each in rule({})["groups"][0]["rules"] if "alert" in each}
    assert alerts == {name for scenario in (*SCENARIOS, *LONG) for name in scenario.firing}
