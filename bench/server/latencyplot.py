"""A plot of latencies, as SVG: the share of requests answered within a time, for each series."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

_WIDTH, _HEIGHT, _LEFT, _TOP = 860, 460, 60, 40
_PLOT_WIDTH, _PLOT_HEIGHT = 520, 360
_COLOURS = ("#1b6ca8", "#d1495b", "#2e933c", "#8d6a9f", "#e08e1b", "#3a3a3a", "#00a6a6", "#a63d00", "#6a994e")


def plot(series: Mapping[str, Sequence[float]], caption: str) -> str:
    """Return the plot. Times are in seconds, on a logarithmic axis."""
    low = math.floor(math.log10(min(min(values) for values in series.values())))
    high = math.ceil(math.log10(max(max(values) for values in series.values())))

    def across(seconds: float) -> float:
        return _LEFT + (math.log10(seconds) - low) / (high - low) * _PLOT_WIDTH

    def up(share: float) -> float:
        return _TOP + (1 - share) * _PLOT_HEIGHT

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" font-size="12">',
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="white"/>',
        f'<text x="{_LEFT}" y="20">Share of requests answered within a time ({caption})</text>',
    ]
    for power in range(low, high + 1):
        x = across(10.0**power)
        parts.append(f'<path d="M{x:.1f} {_TOP}V{_TOP + _PLOT_HEIGHT}" stroke="#ddd"/>')
        parts.append(f'<text x="{x:.1f}" y="{_TOP + _PLOT_HEIGHT + 18}" text-anchor="middle">{10.0**power:g} s</text>')
    for share in (0.0, 0.5, 0.9, 1.0):
        parts.append(f'<path d="M{_LEFT} {up(share):.1f}h{_PLOT_WIDTH}" stroke="#ddd"/>')
        parts.append(f'<text x="{_LEFT - 8}" y="{up(share) + 4:.1f}" text-anchor="end">{share:.0%}</text>')
    for number, (name, values) in enumerate(series.items()):
        colour = _COLOURS[number % len(_COLOURS)]
        ordered = sorted(values)
        points = " ".join(f"{across(v):.1f},{up((at + 1) / len(ordered)):.1f}" for at, v in enumerate(ordered))
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
        y = _TOP + 16 + 20 * number
        parts.append(f'<path d="M{_LEFT + _PLOT_WIDTH + 20} {y - 4}h20" stroke="{colour}" stroke-width="3"/>')
        parts.append(f'<text x="{_LEFT + _PLOT_WIDTH + 46}" y="{y}">{name}</text>')
    return "\n".join([*parts, "</svg>", ""])
