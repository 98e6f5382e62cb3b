"""A dashboard as SVG: its panels, drawn from what Prometheus returned, with Grafana's layout and units.

Grafana itself is not here: no package of it can be installed from the registries that the project uses.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape

from tests.integration.operator.grafana import Dashboard, Shown
from tests.integration.prometheus import Series

_COLUMN, _ROW, _GAP, _HEAD = 54, 27, 8, 44
"""Pixels: a column and a row of the grid, the gap between panels, and the heading of the dashboard."""
_COLOURS = (
    "#3274d9",
    "#56a64b",
    "#e0b400",
    "#e02f44",
    "#8f3bb8",
    "#ff780a",
    "#37872d",
    "#6ed0e0",
    "#b877d9",
    "#7a7a7a",
)
_THRESHOLDS = {"green": "#37872d", "orange": "#e55400", "red": "#c4162a"}
_LEGEND, _AXIS, _TITLE = 30, 52, 24
_GREY = "#6e6e6e"
_SHORTEST_LEGEND = 2


@dataclass(frozen=True)
class _Line:
    """One series: its name, and its values by time."""

    name: str
    values: Mapping[float, float]


def draw(dashboard: Dashboard, panels: Sequence[Shown]) -> str:
    """Return the picture of a dashboard."""
    width = 24 * _COLUMN + _GAP
    below = max(each.panel.box["y"] + each.panel.box["h"] for each in panels)
    height = _HEAD + below * _ROW + _GAP
    chosen = "   ".join(f"{name}: {_all(value)}" for name, value in dashboard.variables.items())
    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" '
            'font-size="11" fill="#333">'
        ),
        f'<rect width="{width}" height="{height}" fill="#f4f5f5"/>',
        f'<text x="{_GAP}" y="28" font-size="18">{escape(dashboard.title)}</text>',
        f'<text x="{width - _GAP}" y="28" text-anchor="end" fill="{_GREY}">{escape(chosen)}</text>',
        *(
            f'<text x="{_GAP}" y="{_HEAD + y * _ROW + 19}" font-size="13" font-weight="bold">{escape(title)}</text>'
            for title, y in dashboard.rows
        ),
    ]
    for each in panels:
        parts += _panel(each)
    return "\n".join([*parts, "</svg>", ""])


def _all(value: str) -> str:
    return "All" if value == ".*" else value


def _panel(shown: Shown) -> Iterator[str]:
    box = shown.panel.box
    x, y = box["x"] * _COLUMN + _GAP, box["y"] * _ROW + _HEAD
    width, height = box["w"] * _COLUMN - _GAP, box["h"] * _ROW - _GAP
    yield f'<g transform="translate({x} {y})">'
    yield f'<rect width="{width}" height="{height}" rx="2" fill="white" stroke="#e4e5e6"/>'
    yield f'<text x="8" y="16" font-weight="bold">{escape(_cut(shown.panel.title, width - 12))}</text>'
    match shown.panel.kind:
        case "stat":
            yield from _stat(shown, width, height)
        case "table":
            yield from _table(shown, width, height)
        case "state-timeline":
            yield from _timeline(shown, width, height)
        case _:
            yield from _graph(shown, width, height)
    yield "</g>"


def _stat(shown: Shown, width: int, height: int) -> Iterator[str]:
    value = float(shown.results[0][0]["value"][1])
    steps = shown.panel.body["fieldConfig"]["defaults"]["thresholds"]["steps"]
    colour = next(step["color"] for step in reversed(steps) if step["value"] is None or value >= step["value"])
    text = _formatted(value, shown.panel.unit)
    size = min(30, int(1.7 * width / max(len(text), 1)))
    yield (
        f'<text x="{width / 2:.0f}" y="{height / 2 + 20:.0f}" text-anchor="middle" font-size="{size}" '
        f'fill="{_THRESHOLDS[colour]}">{escape(text)}</text>'
    )


def _table(shown: Shown, width: int, height: int) -> Iterator[str]:
    body = shown.panel.body
    (organize,) = (each for each in body["transformations"] if each["id"] == "organize")
    places = organize["options"]["indexByName"]
    headings = dict(sorted(organize["options"]["renameByName"].items(), key=lambda each: places[each[0]]))
    units = {
        each["matcher"]["options"]: prop["value"]
        for each in body["fieldConfig"]["overrides"]
        for prop in each["properties"]
        if prop["id"] == "unit"
    }
    labels = [name for name in headings if not name.startswith("Value #")]
    rows: dict[tuple[str, ...], list[str]] = {}
    columns = [name for name in headings.values() if name not in [headings[label] for label in labels]]
    for at, result in enumerate(shown.results):
        for series in result:
            key = tuple(series["metric"].get(label, "") for label in labels)
            cells = rows.setdefault(key, [""] * len(columns))
            cells[at] = _formatted(float(series["value"][1]), units.get(columns[at], "short"))
    lines = [[headings[label] for label in labels] + columns, *([*key, *cells] for key, cells in sorted(rows.items()))]
    step = (width - 16) / len(lines[0])
    for number, line in enumerate(lines[: (height - _TITLE) // 22]):
        y = _TITLE + 18 + 22 * number
        colour = _GREY if number == 0 else "#333"
        for at, cell in enumerate(line):
            text = escape(_cut(cell, step - 4))
            yield f'<text x="{8 + at * step:.0f}" y="{y}" fill="{colour}">{text}</text>'
        yield f'<path d="M8 {y + 7}H{width - 8}" stroke="#e4e5e6"/>'


def _timeline(shown: Shown, width: int, height: int) -> Iterator[str]:
    lines = _lines(shown)
    times = sorted({time for line in lines for time in line.values})
    first, last = times[0], max(times[-1], times[0] + 1)
    across = (width - 16) / (last - first)
    for number, line in enumerate(lines[: (height - _TITLE) // 36]):
        y, colour = _TITLE + 8 + 36 * number, _COLOURS[number % len(_COLOURS)]
        begin, end = min(line.values), max(line.values)
        yield (
            f'<rect x="{8 + (begin - first) * across:.0f}" y="{y + 14}" width="{max(2, (end - begin) * across):.0f}" '
            f'height="14" fill="{colour}" fill-opacity="0.7"/>'
        )
        yield f'<text x="8" y="{y + 10}">{escape(_cut(line.name, width - 16))}</text>'


def _graph(shown: Shown, width: int, height: int) -> Iterator[str]:
    lines = _lines(shown)
    times = sorted({time for line in lines for time in line.values})
    first, last = times[0], max(times[-1], times[0] + 1)
    bases: dict[float, float] = dict.fromkeys(times, 0.0)
    drawn: list[tuple[_Line, list[tuple[float, float, float]]]] = []
    for line in lines:
        points = []
        for time in times:
            if (value := line.values.get(time)) is None:
                continue
            base = bases[time] if shown.panel.stacked else 0.0
            points.append((time, base, base + value))
            bases[time] = base + value
        drawn.append((line, points))
    top = _ceiling(max((high for _, points in drawn for *_, high in points), default=1))
    bottom = height - _LEGEND - 8

    def at(time: float, value: float) -> str:
        x = _AXIS + (time - first) / (last - first) * (width - _AXIS - 10)
        return f"{x:.0f},{bottom - value / top * (bottom - _TITLE - 8):.1f}"

    for share in (0, 0.5, 1):
        y = bottom - share * (bottom - _TITLE - 8)
        label = escape(_formatted(share * top, shown.panel.unit))
        yield f'<path d="M{_AXIS} {y:.1f}H{width - 10}" stroke="#e9e9e9"/>'
        yield f'<text x="{_AXIS - 4}" y="{y + 4:.1f}" text-anchor="end" fill="{_GREY}" font-size="9">{label}</text>'
    for number, (_, points) in enumerate(drawn):
        colour = _COLOURS[number % len(_COLOURS)]
        upper = [at(time, high) for time, _, high in points]
        if shown.panel.stacked and len(points) > 1:
            lower = [at(time, low) for time, low, _ in reversed(points)]
            yield f'<polygon points="{" ".join(upper + lower)}" fill="{colour}" fill-opacity="0.3"/>'
        yield f'<polyline points="{" ".join(upper)}" fill="none" stroke="{colour}" stroke-width="1.3"/>'
    yield from _legend([line.name for line, _ in drawn], width, height)


def _legend(names: Sequence[str], width: int, height: int) -> Iterator[str]:
    x, y = 10.0, height - _LEGEND + 8
    for number, name in enumerate(names):
        text = _cut(name, 0.6 * width)
        needed = 24 + 6 * len(text)
        if x + needed > width:
            x, y = 10.0, y + 14
        if y > height - 4:
            return
        yield f'<path d="M{x:.0f} {y - 4}h10" stroke="{_COLOURS[number % len(_COLOURS)]}" stroke-width="3"/>'
        yield f'<text x="{x + 14:.0f}" y="{y}" font-size="10">{escape(text)}</text>'
        x += needed


def _lines(shown: Shown) -> list[_Line]:
    """The series of all queries that have a number, named by the legend."""
    found = []
    for target, result in zip(shown.panel.targets, shown.results, strict=True):
        for series in result:
            values = {float(time): float(value) for time, value in series["values"] if math.isfinite(float(value))}
            if values:
                found.append(_Line(_named(target.legend, series), values))
    return found


def _named(legend: str, series: Series) -> str:
    return re.sub(r"\{\{(\w+)\}\}", lambda label: series["metric"].get(label[1], ""), legend).strip() or "value"


def _ceiling(value: float) -> float:
    """The next round number: 1, 2, or 5 times a power of ten."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 2, 5, 10) if step * power >= value * 0.999)


def _formatted(value: float, unit: str) -> str:
    if not math.isfinite(value):
        return "-"
    match unit:
        case "percentunit":
            return f"{100 * value:.3g} %"
        case "s" if value < 1:
            return f"{1000 * value:.3g} ms"
        case "s":
            return f"{value:.3g} s" if value < 600 else f"{value / 60:.3g} min"
        case "bytes":
            return f"{value / 2**20:.3g} MiB"
        case "reqps":
            return f"{value:.3g} req/s"
        case "ops":
            return f"{value:.3g} /s"
    return f"{value:.4g}"


def _cut(text: str, pixels: float) -> str:
    most = max(_SHORTEST_LEGEND, int(pixels / 6))
    return text if len(text) <= most else f"{text[: most - 1]}…"
