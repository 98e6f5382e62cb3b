"""What the operator asked the API server for: its user's completed requests, from the API server's audit log.

The log is written before a request is answered, so a count is exact. A watch is in it when it ends.
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
PATIENCE = 180.0
LONGEST_ENTRY_BYTES = 1 << 20
_SHOWN = 3


@dataclass(frozen=True)
class Mark:
    """A place in the log."""

    inode: int
    offset: int


@dataclass(frozen=True)
class Requests:
    """The requests of some time."""

    verbs: Counter[str]
    """Without watches and the Lease."""
    watches: int
    """Watches that ended."""
    lease: int
    written: Counter[str]
    """How often each object was written; named as in the path of its URL, `services/NAMESPACE/NAME`."""

    @property
    def total(self) -> int:
        """All but watches and the Lease."""
        return self.verbs.total()

    @property
    def reads(self) -> int:
        """GET and LIST."""
        return sum(count for verb, count in self.verbs.items() if verb in READS)

    @property
    def writes(self) -> int:
        """All that change something."""
        return self.total - self.reads

    def __str__(self) -> str:
        counts = ", ".join(f"{count} {verb}" for verb, count in self.verbs.most_common())
        written = f" (first: {', '.join(list(self.written)[:_SHOWN])})" if self.written else ""
        return f"{counts or 'none'}{written}; beside them {self.watches} watches ended, {self.lease} of the Lease"


@dataclass(frozen=True)
class AuditLog:
    """The log of one API server, which is rotated when it is large."""

    path: Path

    def mark(self) -> Mark:
        """The place where the next entry will be; of the last one the end may not be written yet."""
        if not self.path.exists():
            raise BenchError(f"there is no audit log {self.path}: the requests cannot be counted")
        with self.path.open("rb") as source:
            status = os.fstat(source.fileno())
            begin = max(0, status.st_size - LONGEST_ENTRY_BYTES)
            source.seek(begin)
            return Mark(status.st_ino, begin + source.read(status.st_size - begin).rfind(b"\n") + 1)

    def since(self, mark: Mark) -> Requests:
        """The requests that were completed since then."""
        verbs: Counter[str] = Counter()
        written: Counter[str] = Counter()
        watches = lease = 0
        for event in map(orjson.loads, self._lines(mark)):
            if event["user"]["username"] != TEST_USER:
                continue
            if event["verb"] == "watch":
                watches += 1
            elif event.get("objectRef", {}).get("resource") == "leases":
                lease += 1
            else:
                verbs[event["verb"]] += 1
                if event["verb"] not in READS:
                    written[_address(event["objectRef"])] += 1
        return Requests(verbs, watches, lease, written)

    async def quiet(self, seconds: float, progress: Progress) -> float:
        """Wait until the operator has asked for nothing for some seconds; when it last did (monotonic)."""
        begin = last = time.monotonic()
        mark = self.mark()
        while time.monotonic() - last < seconds:
            await asyncio.sleep(0.1)
            now = self.mark()
            if now != mark:
                last = time.monotonic() if self.since(mark).total else last
                mark = now
            if time.monotonic() - begin > PATIENCE:
                raise BenchError(f"after {PATIENCE:.0f} s the operator still sends requests")
            progress.heartbeat("until the operator is quiet", begin)
        return last

    def _lines(self, mark: Mark) -> Sequence[bytes]:
        """Whole lines from there on, through the files that rotation has left."""
        files = sorted(
            self.path.parent.glob(f"{self.path.stem}*{self.path.suffix}"), key=lambda each: each.stat().st_mtime
        )
        places = [file.stat().st_ino for file in files]
        if mark.inode not in places:
            raise BenchError("the audit log was rotated away while the benchmark ran")
        text = b""
        for number, file in enumerate(files[places.index(mark.inode) :]):
            with file.open("rb") as source:
                source.seek(0 if number else mark.offset)
                text += source.read()
        return text[: text.rfind(b"\n") + 1].splitlines()


def _address(reference: Mapping[str, str]) -> str:
    """Of an object, as in the path of its URL."""
    names = ("resource", "namespace", "name", "subresource")
    return "/".join(filter(None, map(reference.get, names)))
