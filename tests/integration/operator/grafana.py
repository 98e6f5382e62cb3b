"""What Grafana does with a dashboard: it fills in the variables, and runs the queries of each panel."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.integration.prometheus import Series, series

ALL = "$__all"
_LABEL_VALUES = re.compile(r"label_values\((?P<selector>.+), (?P<label>\w+)\)")


@dataclass(frozen=True)
class Target:
    """A query of a panel, with all variables filled in."""

    expression: str
    legend: str
    instant: bool


@dataclass(frozen=True)
class Panel:
    """A panel."""

    title: str
    kind: str
    unit: str
    box: dict[str, int]
    """Its place on the grid of 24 columns: x, y, w, h."""
    stacked: bool
    targets: tuple[Target, ...]
    body: dict[str, Any]


@dataclass(frozen=True)
class Shown:
    """A panel, and what Prometheus returned for each of its queries."""

    panel: Panel
    results: tuple[list[Series], ...]

    @property
    def empty(self) -> list[str]:
        """The queries without a single number."""
        pairs = zip(self.panel.targets, self.results, strict=True)
        return [target.expression for target, result in pairs if not any(map(_has_numbers, result))]


def _has_numbers(series: Series) -> bool:
    samples = series["values"] if "values" in series else [series["value"]]
    return any(math.isfinite(float(value)) for _, value in samples)


@dataclass(frozen=True)
class Dashboard:
    """A dashboard with all variables filled in."""

    uid: str
    title: str
    variables: Mapping[str, str]
    panels: tuple[Panel, ...]
    """Without rows."""
    rows: tuple[tuple[str, int], ...]
    """The headings, each with its place (y) on the grid."""


def opened(path: Path, prometheus: str, *, rate: str, period: str) -> Dashboard:
    """Open a dashboard as Grafana does for somebody who selects nothing.

    `rate` is `$__rate_interval`, and `period` is `$__range`.
    """
    body = json.loads(path.read_text())
    values: dict[str, str] = {}
    for variable in body["templating"]["list"]:
        if variable["type"] != "datasource":
            values[variable["name"]] = _value(variable, values, prometheus)
    filled = {**values, "__rate_interval": rate, "__range": period}
    panels = tuple(_panel(panel, filled) for panel in body["panels"] if panel["type"] != "row")
    rows = tuple((each["title"], each["gridPos"]["y"]) for each in body["panels"] if each["type"] == "row")
    return Dashboard(body["uid"], body["title"], values, panels, rows)


def interpolated(text: str, values: Mapping[str, str]) -> str:
    """Fill in variables. What is none, such as `$1` in a label_replace, stays."""
    return re.sub(r"\$(?:\{(\w+)\}|([A-Za-z_]\w*))", lambda found: values[found[1] or found[2]], text)


def _panel(body: dict[str, Any], values: Mapping[str, str]) -> Panel:
    fields = body.get("fieldConfig", {"defaults": {}, "overrides": []})
    custom = fields["defaults"].get("custom", {})
    return Panel(
        title=body["title"],
        kind=body["type"],
        unit=fields["defaults"].get("unit", "short"),
        box=body["gridPos"],
        stacked=custom.get("stacking", {}).get("mode") == "normal",
        targets=tuple(
            Target(interpolated(each["expr"], values), each.get("legendFormat", ""), each.get("instant", False))
            for each in body["targets"]
        ),
        body={**body, "fieldConfig": fields},
    )


def _value(variable: dict[str, Any], before: Mapping[str, str], prometheus: str) -> str:
    """The value that a variable has when the dashboard is opened: all, or the first one."""
    if variable["type"] == "constant":
        return str(variable["query"])
    if variable.get("includeAll") and variable["current"]["value"] == ALL:
        return str(variable["allValue"])
    options = sorted(set(_options(variable, before, prometheus)))
    assert options, f"there is nothing to select as {variable['name']}"
    return options[0]


def _options(variable: dict[str, Any], before: Mapping[str, str], prometheus: str) -> Iterator[str]:
    asked = _LABEL_VALUES.fullmatch(interpolated(variable["query"], before))
    assert asked is not None, variable["query"]
    only = re.compile(variable["regex"].strip("/")) if variable.get("regex") else None
    for labels in series(prometheus, asked["selector"]):
        value = labels.get(asked["label"])
        if value is None:
            continue
        if only is None:
            yield value
        elif found := only.search(value):
            yield found[1]
