"""The recording of the demo in the README."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from itertools import pairwise

from website.recording import LONGEST, SHORTEST, Line, draw, parse, times

LOG = """\
$ make demo
Installing what the project needs into .venv ...
[  6.6s] install Debian packages (6.6s)
[   22s] ... compile etcd, 15s
[ 1m14s] compile etcd (37s)

NAME <quickstart>
"""


def test_steps_that_go_on_are_left_out() -> None:
    assert parse(LOG) == [
        Line(0, "$ make demo"),
        Line(0, "Installing what the project needs into .venv ..."),
        Line(6.6, "[  6.6s] install Debian packages (6.6s)"),
        Line(74, "[ 1m14s] compile etcd (37s)"),
        Line(74, ""),
        Line(74, "NAME <quickstart>"),
    ]


def test_no_pause_is_long_and_none_is_too_short_to_see() -> None:
    shown = times(parse(LOG))
    pauses = [round(after - before, 6) for before, after in pairwise(shown)]
    assert pauses == [SHORTEST, LONGEST, LONGEST, SHORTEST, SHORTEST]


def test_the_drawing_has_every_line_as_text() -> None:
    root = ET.fromstring(draw(parse(LOG)))  # noqa: S314 - our own
    texts = [element.text or "" for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert texts == [line.text for line in parse(LOG)]
