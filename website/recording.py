"""Draw the log of `make demo` as an animated SVG: `python -m website.recording demo.log > docs/images/demo.svg`.

Lines appear in the rhythm of the log, but no pause is longer than `LONGEST`: the first run compiles for minutes.
Repeated lines about a step that is still going on are left out. A viewer who prefers no motion sees the end.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from pathlib import Path

LONGEST, SHORTEST = 0.9, 0.12
"""Seconds between two lines."""
AT_THE_END = 6.0
"""Seconds before it starts again."""
ROWS, COLUMNS = 25, 112
LINE, CHARACTER, MARGIN, TITLE = 20, 8.43, 18, 34
"""Pixels: the height of a line, the width of a character, the margin, and the height of the window's title."""
_STEP = re.compile(r"^\[ *(?:(\d+)m)?([\d.]+)s\] (.*)$")
_STYLE = """
    text { font: 14px "DejaVu Sans Mono", Menlo, Consolas, "Noto Sans Mono CJK SC", monospace; fill: #d5dde8 }
    .step { fill: #8fd6a5 } .command { fill: #ffffff; font-weight: bold }
"""


@dataclass(frozen=True)
class Line:
    """A line of the recording."""

    at: float
    """Seconds since the start, as in the log."""
    text: str


def parse(log: str) -> list[Line]:
    """Return the lines of a log. Those without a time have that of the line before them."""
    found: list[Line] = []
    at = 0.0
    for text in log.rstrip().splitlines():
        step = _STEP.match(text)
        if step is not None:
            at = 60 * int(step[1] or 0) + float(step[2])
            if step[3].startswith("... "):
                continue
        found.append(Line(at, text))
    return found


def times(lines: list[Line]) -> list[float]:
    """Return when each line appears, in seconds: the first at once, the others after bounded pauses."""
    shown = [0.0]
    for before, line in pairwise(lines):
        shown.append(shown[-1] + min(max(line.at - before.at, SHORTEST), LONGEST))
    return shown


def draw(lines: list[Line]) -> str:
    """Return the SVG."""
    shown = times(lines)
    total = shown[-1] + AT_THE_END
    width = round(2 * MARGIN + COLUMNS * CHARACTER)
    height = TITLE + MARGIN + ROWS * LINE
    hidden = max(0, len(lines) - ROWS)
    scroll = "".join(
        f"{100 * shown[number + ROWS - 1] / total:.2f}% {{ transform: translateY(-{number * LINE}px) }} "
        for number in range(1, hidden + 1)
    )
    frames = "".join(
        f"@keyframes l{number} {{ 0% {{ opacity: 0 }} {100 * at / total:.2f}%, 100% {{ opacity: 1 }} }}\n    "
        for number, at in enumerate(shown)
        if at
    )
    rows = "\n    ".join(_row(number, line, total) for number, line in enumerate(lines))
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}"
  role="img" aria-label="A recording of make demo">
  <!-- Drawn by website/recording.py from a real run. -->
  <style>{_STYLE}
    #all {{ transform: translateY(-{hidden * LINE}px); animation: scroll {total:.2f}s step-end infinite }}
    @keyframes scroll {{ 0% {{ transform: none }} {scroll}100% {{ transform: translateY(-{hidden * LINE}px) }} }}
    {frames}
    @media (prefers-reduced-motion: reduce) {{ #all, text {{ animation: none !important }} }}
  </style>
  <rect width="{width}" height="{height}" rx="10" fill="#1b2230"/>
  <circle cx="20" cy="17" r="6" fill="#ff6159"/>
  <circle cx="40" cy="17" r="6" fill="#ffbf2f"/>
  <circle cx="60" cy="17" r="6" fill="#2aca44"/>
  <clipPath id="window"><rect y="{TITLE}" width="{width}" height="{ROWS * LINE + 6}"/></clipPath>
  <g clip-path="url(#window)"><g id="all">
    {rows}
  </g></g>
</svg>
"""


def _row(number: int, line: Line, total: float) -> str:
    kind = "step" if _STEP.match(line.text) else "command" if line.text.startswith("$ ") else ""
    text = line.text if len(line.text) <= COLUMNS else line.text[: COLUMNS - 1] + "…"
    name = f' class="{kind}"' if kind else ""
    motion = f' style="animation: l{number} {total:.2f}s step-end infinite"' if number else ""
    y = TITLE + (number + 1) * LINE - 5
    return f'<text x="{MARGIN}" y="{y}"{name}{motion} xml:space="preserve">{escape(text)}</text>'


def main() -> None:
    """Read the log that the argument names, and print the drawing."""
    log = Path(sys.argv[1]).read_text(encoding="utf-8")
    end = log.find("\nOpen in a browser")  # what follows is for those who have the cluster
    log = log[:end] if end >= 0 else log
    sys.stdout.write(draw(parse("$ make demo\n" + log)))


if __name__ == "__main__":
    main()
