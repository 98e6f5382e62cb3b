"""Alerts evaluated by Debian's promtool over series that a test makes up."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from tts_operator.json_object import Json

HOUR = 121
"""Steps of 30 s."""


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """What happens, and the alerts that fire at its end."""

    name: str
    series: Mapping[str, str] = field(default_factory=dict)
    """Values in promtool's notation by the name of the series, one for each step. They take the place of those of a
    healthy service, or come beside them."""
    spec: Json = field(default_factory=dict)
    """The spec of the service, or the values of the chart."""
    firing: Mapping[str, str] = field(default_factory=dict)
    """The alerts, each with the values of its label `long`, separated by commas; empty for an alert without it."""
    value: str = ""
    """The figure in the description, or the label in it."""
    at: str = "30m"
    """When to look; several times separated by spaces."""


def steady(value: int, steps: int = HOUR) -> str:
    """The same value at each step."""
    return f"{value}x{steps}"


def counting(each: float, steps: int = HOUR) -> str:
    """A counter that grows by so much in each step."""
    return f"0+{each:g}x{steps}"


def check(folder: Path, *arguments: str) -> None:
    """Run promtool, which must succeed."""
    done = subprocess.run(["promtool", *arguments], cwd=folder, capture_output=True, text=True, timeout=90, check=False)
    failures = [line for line in done.stdout.splitlines() if "SUCCESS" not in line and "Unit Testing" not in line]
    assert done.returncode == 0, "\n".join(failures) + done.stderr


def evaluate(
    folder: Path,
    scenarios: Iterable[Scenario],
    *,
    rules_of: Callable[[Json], Json],
    healthy: Mapping[str, str],
    interval: str = "30s",
) -> None:
    """Have promtool evaluate the rules over the series of scenarios. One process, because its start takes long.

    `rules_of` returns the spec of the PrometheusRule for a scenario's `spec`. `interval` is the length of a step.
    """
    files = []
    for number, scenario in enumerate(scenarios):
        rules = rules_of(scenario.spec)
        test = {
            "name": scenario.name,
            "interval": interval,
            "input_series": [
                {"series": name, "values": values} for name, values in {**healthy, **scenario.series}.items()
            ],
            "alert_rule_test": _checks(scenario, [each for each in rules["groups"][0]["rules"] if "alert" in each]),
        }
        asked = {"rule_files": [f"rules-{number}.yaml"], "evaluation_interval": interval, "tests": [test]}
        (folder / f"rules-{number}.yaml").write_text(yaml.safe_dump(rules))
        (folder / f"{number}.yaml").write_text(yaml.safe_dump(asked))
        files.append(f"{number}.yaml")
    check(folder, "test", "rules", *files)


def _checks(scenario: Scenario, alerts: list[Json]) -> list[Json]:
    """A check for each name and time. Rules of the same name are checked together."""
    found: dict[str, list[Json]] = {each["alert"]: [] for each in alerts}
    for each in alerts:
        found[each["alert"]] += _expected(scenario, each)
    assert scenario.firing.keys() <= found.keys(), f"the rules of {scenario.name!r} lack an alert"
    return [
        {"eval_time": time, "alertname": name, "exp_alerts": each}
        for time in scenario.at.split()
        for name, each in found.items()
    ]


def _expected(scenario: Scenario, alert: Json) -> list[Json]:
    """What promtool is to find of one rule."""
    labels, windows = alert["labels"], scenario.firing.get(alert["alert"])
    if windows is None or ("long" in labels and labels["long"] not in windows.split(",")):
        return []
    told = {name: _filled(text, scenario.value) for name, text in alert["annotations"].items()}
    resource = {"resource": scenario.value} if "by (resource)" in alert["expr"] else {}
    return [{"exp_labels": {**labels, **resource}, "exp_annotations": told}]


def _filled(text: str, value: str) -> str:
    for template in ("{{ $value | humanizePercentage }}", "{{ $value }}", "{{ $labels.resource }}"):
        text = text.replace(template, value)
    return text
