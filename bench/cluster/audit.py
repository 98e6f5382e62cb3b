"""The operator's completed requests, from the API server's audit log.

The API server writes the log before it responds, so counts are exact. It logs a watch when the watch ends.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson

from bench.cluster.namespace import BenchError
from devcluster.controlplane.components import TEST_USER
from devcluster.progress import Progress

READS = frozenset({"get", "list"})
TIMEOUT_SECONDS = 180.0
LONGEST_ENTRY_BYTES = 1 << 20
_SHOWN = 3


@dataclass(frozen=True)
class Position:
    """A position in the log."""

    inode: int
    offset: int


@dataclass(frozen=True)
class Requests:
    """The requests of a period."""

    verbs: Counter[str]
    """Requests by verb, without watches and requests for the Lease."""
    watches: int
    """Watches that ended in the period."""
    lease: int
    written: Counter[str]
    """Writes by object, such as `services/NAMESPACE/NAME`."""

    @property
    def total(self) -> int:
        """The number of requests, without watches and requests for the Lease."""
        return self.verbs.total()

    @property
    def reads(self) -> int:
        """The number of GET and LIST requests."""
        return sum(count for verb, count in self.verbs.items() if verb in READS)

    @property
    def writes(self) -> int:
        """The number of all other requests."""
        return self.total - self.reads

    def __str__(self) -> str:
        counts = ", ".join(f"{count} {verb}" for verb, count in self.verbs.most_common())
        written = f" (first: {', '.join(list(self.written)[:_SHOWN])})" if self.written else ""
        return f"{counts or 'none'}{written}; also {self.watches} ended watches, {self.lease} requests for the Lease"


@dataclass(frozen=True)
class AuditLog:
    """The audit log of an API server, which rotates it by size."""

    path: Path

    def position(self) -> Position:
        """Return the position of the next entry. The last entry may still be incomplete."""
        if not self.path.exists():
            raise BenchError(f"audit log {self.path} does not exist: cannot count requests")
        with self.path.open("rb") as source:
            status = os.fstat(source.fileno())
            begin = max(0, status.st_size - LONGEST_ENTRY_BYTES)
            source.seek(begin)
            return Position(status.st_ino, begin + source.read(status.st_size - begin).rfind(b"\n") + 1)

    def since(self, position: Position) -> Requests:
        """Return the requests that completed after `position`."""
        verbs: Counter[str] = Counter()
        written: Counter[str] = Counter()
        watches = lease = 0
        for event in map(orjson.loads, self._lines(position)):
            if event["user"]["username"] != TEST_USER:
                continue
            if event["verb"] == "watch":
                watches += 1
            elif event.get("objectRef", {}).get("resource") == "leases":
                lease += 1
            else:
                verbs[event["verb"]] += 1
                if event["verb"] not in READS:
                    written[_object_path(event["objectRef"])] += 1
        return Requests(verbs, watches, lease, written)

    async def wait_until_idle(self, seconds: float, progress: Progress) -> float:
        """Wait until the operator has sent no request for `seconds`. Return when it last did (monotonic time)."""
        begin = last = time.monotonic()
        position = self.position()
        while time.monotonic() - last < seconds:
            await asyncio.sleep(0.1)
            now = self.position()
            if now != position:
                last = time.monotonic() if self.since(position).total else last
                position = now
            if time.monotonic() - begin > TIMEOUT_SECONDS:
                raise BenchError(f"the operator is still sending requests after {TIMEOUT_SECONDS:.0f} s")
            progress.heartbeat("waiting for the operator to be idle", begin)
        return last

    def _lines(self, position: Position) -> Sequence[bytes]:
        """Return complete lines from `position` on, including rotated files."""
        files = sorted(
            self.path.parent.glob(f"{self.path.stem}*{self.path.suffix}"), key=lambda each: each.stat().st_mtime
        )
        inodes = [file.stat().st_ino for file in files]
        if position.inode not in inodes:
            raise BenchError("the audit log was rotated out while the benchmark was running")
        text = b""
        for number, file in enumerate(files[inodes.index(position.inode) :]):
            with file.open("rb") as source:
                source.seek(0 if number else position.offset)
                text += source.read()
        return text[: text.rfind(b"\n") + 1].splitlines()


def _object_path(reference: Mapping[str, str]) -> str:
    """Return an object's name as in its URL path."""
    names = ("resource", "namespace", "name", "subresource")
    return "/".join(filter(None, map(reference.get, names)))
