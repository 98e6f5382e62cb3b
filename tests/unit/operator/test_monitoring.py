"""The alerts speak of what the server really measures."""

import re

from tests.unit.operator.worlds import DEFAULTS, everything, service
from tts_operator.api import Json
from tts_operator.desired import children
from tts_operator.desired.monitoring import SPEECH
from tts_server.api.openapi import document
from tts_server.metrics import Metrics


def alerts() -> list[Json]:
    (rule,) = (each for each in children(service(everything()), DEFAULTS) if each["kind"] == "PrometheusRule")
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


def test_alerts_are_for_people() -> None:
    assert {alert["labels"]["severity"] for alert in alerts()} <= {"critical", "warning"}
    assert all("speech/narrator" in alert["annotations"]["summary"] for alert in alerts())
