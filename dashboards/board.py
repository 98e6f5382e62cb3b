"""A dashboard: its rows, its variables, and its JSON."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DashboardLinkType,
    VariableOption,
    VariableRefresh,
    VariableSort,
)

from dashboards.chinese import CHINESE
from dashboards.panels import DATASOURCE, Panel

TAG = "tts-operator"
"""Of all dashboards, which link to each other by it."""
SERVERS = 'job!~".*-worker"'
"""Selects servers: workers of jobs have metrics with a `job` of their own."""
NAMESPACE = builders.QueryVariable("namespace").label("Namespace").query("label_values(tts_build_info, namespace)")
SERVICE = (
    builders.QueryVariable("service")
    .label("Service")
    .query(f'label_values(tts_build_info{{namespace="$namespace", {SERVERS}}}, job)')
    .regex("/^[^/]+/(.+)$/")
)
NAMESPACES = (
    builders.QueryVariable("namespace")
    .label("Namespace")
    .query("label_values(tts_build_info, namespace)")
    .multi(multi=True)
    .include_all(include_all=True)
    .all_value(".*")
    .current(VariableOption(selected=True, text="All", value="$__all"))
)
Variable = builders.QueryVariable
Json = dict[str, Any]


@dataclass(frozen=True)
class Row:
    """A heading and the panels below it."""

    title: str
    panels: Sequence[Panel]


@dataclass(frozen=True)
class Board:
    """A dashboard."""

    uid: str
    """Its name in URLs, and of its file."""
    title: str
    description: str
    variables: Sequence[Variable]
    rows: Sequence[Row]
    hours: int = 1
    """How far back it shows."""

    def json(self) -> Json:
        """The dashboard as Grafana imports and provisions it."""
        builder = (
            builders.Dashboard(self.title)
            .uid(self.uid)
            .description(self.description)
            .tags([TAG])
            .tooltip(DashboardCursorSync.CROSSHAIR)
            .time(f"now-{self.hours}h", "now")
            .refresh("30s")
            .with_variable(builders.DatasourceVariable("datasource").label("Prometheus").type("prometheus"))
            .link(
                builders.DashboardLink("tts-operator")
                .type(DashboardLinkType.DASHBOARDS)
                .tags([TAG])
                .as_dropdown(as_dropdown=True)
                .include_vars(include_vars=True)
                .keep_time(keep_time=True)
            )
        )
        for variable in self.variables:
            asked = variable.datasource(DATASOURCE).refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
            builder = builder.with_variable(asked.sort(VariableSort.ALPHABETICAL_ASC))
        for row in self.rows:
            builder = builder.with_row(builders.Row(row.title))
            for panel in row.panels:
                builder = builder.with_panel(panel)
        made: Json = json.loads(JSONEncoder(sort_keys=True).encode(builder.build()))
        for number, panel in enumerate(made["panels"], start=1):
            panel["id"] = number
            if "description" in panel:
                panel["description"] = _in_both_languages(panel["description"])
        return made


def _in_both_languages(description: str) -> str:
    if description not in CHINESE:
        raise ValueError(f"dashboards/chinese.py lacks: {description}")
    return f"{description}\n\n{CHINESE[description]}"
