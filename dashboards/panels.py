"""The kinds of panels that all dashboards are made of.

Queries are PromQL with Grafana's variables, `$__rate_interval` among them.
Source: https://grafana.com/docs/grafana/latest/dashboards/variables/
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from grafana_foundation_sdk.builders import common, prometheus, stat, statetimeline, table, timeseries
from grafana_foundation_sdk.builders.dashboard import ThresholdsConfig
from grafana_foundation_sdk.models.common import (
    BigValueGraphMode,
    LegendDisplayMode,
    LegendPlacement,
    StackingMode,
    TooltipDisplayMode,
    VisibilityMode,
)
from grafana_foundation_sdk.models.dashboard import (
    DataSourceRef,
    DataTransformerConfig,
    DynamicConfigValue,
    Threshold,
    ThresholdsMode,
)
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

DATASOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")
"""The Prometheus that the viewer selects."""
SHORT, SECONDS, SHARE, BYTES, PER_SECOND = "short", "s", "percentunit", "bytes", "reqps"
"""Units, as Grafana names them. A share is from 0 to 1."""
GREEN, ORANGE, RED = "green", "orange", "red"
_WIDTH = 24
"""Of Grafana's grid."""

Panel = timeseries.Panel | stat.Panel | table.Panel | statetimeline.Panel


@dataclass(frozen=True)
class Query:
    """One query of a panel."""

    expression: str
    """PromQL."""
    legend: str = ""
    """Name of its series, with labels in double braces. In a table, the heading of its column."""
    unit: str = ""
    """In a table, the unit of its column."""


@dataclass(frozen=True)
class Limits:
    """Where a number turns orange and red. `falling`: below these values; otherwise from them on."""

    orange: float
    red: float
    falling: bool = False

    def steps(self) -> list[Threshold]:
        """Grafana's thresholds, of which each holds from its value on."""
        if self.falling:
            return [Threshold(color=RED), Threshold(self.red, ORANGE), Threshold(self.orange, GREEN)]
        return [Threshold(color=GREEN), Threshold(self.orange, ORANGE), Threshold(self.red, RED)]


def graph(
    title: str,
    description: str,
    *queries: Query,
    unit: str = SHORT,
    stacked: bool = False,
    maximum: float | None = None,
    wide: int = 8,
) -> timeseries.Panel:
    """Return a panel that shows series over time. Series of whole things, such as requests by status, are `stacked`."""
    panel = (
        timeseries.Panel()
        .title(title)
        .description(description)
        .datasource(DATASOURCE)
        .unit(unit)
        .min(0)
        .line_width(1)
        .fill_opacity(30 if stacked else 8)
        .show_points(VisibilityMode.NEVER)
        .legend(
            common.VizLegendOptions()
            .display_mode(LegendDisplayMode.LIST)
            .placement(LegendPlacement.BOTTOM)
            .show_legend(show_legend=True)
        )
        .tooltip(common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI))
        .span(wide)
        .height(8)
    )
    if stacked:
        panel = panel.stacking(common.StackingConfig().mode(StackingMode.NORMAL))
    if maximum is not None:
        panel = panel.max(maximum)
    for number, query in enumerate(queries):
        panel = panel.with_target(_target(query, number).range())
    return panel


def number(
    title: str,
    description: str,
    expression: str,
    *,
    unit: str = SHORT,
    limits: Limits | None = None,
    decimals: int | None = None,
    wide: int = 3,
) -> stat.Panel:
    """Return a panel that shows the present value of one query in large type."""
    panel = (
        stat.Panel()
        .title(title)
        .description(description)
        .datasource(DATASOURCE)
        .unit(unit)
        .graph_mode(BigValueGraphMode.NONE)
        .thresholds(
            ThresholdsConfig()
            .mode(ThresholdsMode.ABSOLUTE)
            .steps(limits.steps() if limits is not None else [Threshold(color=GREEN)])
        )
        .with_target(_target(Query(expression), 0).instant())
        .span(wide)
        .height(4)
    )
    return panel if decimals is None else panel.decimals(decimals)


def timeline(title: str, description: str, query: Query, *, wide: int = 12) -> statetimeline.Panel:
    """Return a panel with a bar for each series, as long as the series exists."""
    return (
        statetimeline.Panel()
        .title(title)
        .description(description)
        .datasource(DATASOURCE)
        .with_target(_target(query, 0).range())
        .span(wide)
        .height(8)
    )


def listing(
    title: str,
    description: str,
    rows: Mapping[str, str],
    *columns: Query,
    links: Mapping[str, str] | None = None,
    wide: int = _WIDTH,
) -> table.Panel:
    """Return a table: a row for each combination of the labels `rows` (by label, the heading), a column for each query.

    `links` are URLs of the cells below a heading.
    """
    names = {f"Value #{_letter(at)}": column.legend for at, column in enumerate(columns)}
    panel = (
        table.Panel()
        .title(title)
        .description(description)
        .datasource(DATASOURCE)
        .with_transformation(DataTransformerConfig(id_val="merge", options={}))
        .with_transformation(
            DataTransformerConfig(
                id_val="organize",
                options={
                    "excludeByName": {"Time": True},
                    "indexByName": {name: at for at, name in enumerate([*rows, *names])},
                    "renameByName": {**rows, **names},
                },
            )
        )
        .span(wide)
        .height(9)
    )
    for at, column in enumerate(columns):
        panel = panel.with_target(_target(column, at).instant().format(PromQueryFormat.TABLE))
        if column.unit:
            panel = panel.override_by_name(column.legend, [DynamicConfigValue(id_val="unit", value=column.unit)])
    for heading, url in (links or {}).items():
        link = DynamicConfigValue(id_val="links", value=[{"title": heading, "url": url}])
        panel = panel.override_by_name(heading, [link])
    return panel


def _target(query: Query, at: int) -> prometheus.Dataquery:
    return prometheus.Dataquery().expr(query.expression).legend_format(query.legend).ref_id(_letter(at))


def _letter(at: int) -> str:
    """The name of a query: A, B, C, ..."""
    return chr(ord("A") + at)


def quantiles(histogram: str, selector: str, *, by: Sequence[str] = (), legend: str = "") -> list[Query]:
    """The P50, P95, and P99 of a histogram."""
    labels = ", ".join(["le", *by])
    rate = f"sum by ({labels}) (rate({histogram}_bucket{{{selector}}}[$__rate_interval]))"
    return [Query(f"histogram_quantile({share}, {rate})", f"P{100 * share:.0f}{legend}") for share in (0.5, 0.95, 0.99)]
