"""How the plugin writes durations, revisions, tables, and the next command."""

from __future__ import annotations

import datetime
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tts_operator.cli.view import Revision

MINUTE, DAY = 60, 86400
KILO, MEGA = 1000, 1_000_000


@dataclass(frozen=True, kw_only=True)
class Typed:
    """What the user typed: the service, and the flags that the next command needs too."""

    name: str
    flags: tuple[str, ...] = ()

    def then(self, command: str, *words: str) -> str:
        """Return another command for the same service, in backticks."""
        return f"`{shlex.join(['kubectl', 'tts', command, self.name, *words, *self.flags])}`"


@dataclass(frozen=True)
class Names:
    """Revisions by name."""

    revisions: Sequence[Revision]

    def find(self, name: str) -> Revision | None:
        """The revision of that name, if it is stored."""
        return next((each for each in self.revisions if each.name == name), None)

    def short(self, name: str) -> str:
        """Return `revision 5`, or the name if the revision is no longer stored."""
        found = self.find(name)
        return f"revision {found.number}" if found else f"revision {name}"

    def full(self, name: str) -> str:
        """Return `5 (narrator-11a898940c, fastspeech2)`, with the image if the revisions have different ones."""
        found = self.find(name)
        if not name:
            return "none yet"
        if not found:
            return name
        return f"{found.number} ({', '.join([found.name, found.model, *self._image(found)])})"

    def _image(self, revision: Revision) -> list[str]:
        return [revision.image] if len({each.image for each in self.revisions}) > 1 else []


def duration(seconds: float) -> str:
    """Return `40 s`, `3 min`, `2 h 5 min`, or `3 d`: as exact as a waiting user needs it."""
    whole = max(0, round(seconds))
    if whole < 2 * MINUTE:
        return f"{whole} s"
    hours, minutes = divmod(round(whole / MINUTE), 60)
    if not hours:
        return f"{minutes} min"
    if whole < 2 * DAY:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    return f"{whole // DAY} d"


def now() -> datetime.datetime:
    """The time, in UTC."""
    return datetime.datetime.now(datetime.timezone.utc)


def age(since: datetime.datetime | None, at: datetime.datetime) -> str:
    """Return how long ago it was. This machine's clock may differ from the cluster's."""
    return duration((at - since).total_seconds()) if since else "?"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table in kubectl's format."""
    lines = [list(head), *map(list, rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    return "\n".join(
        "   ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def size(count: float) -> str:
    """Return bytes as people read them."""
    return f"{count / MEGA:.1f} MB" if count >= MEGA else f"{count / KILO:.1f} kB"
