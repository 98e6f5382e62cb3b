"""The operator's log of a whole test run, from all of its pods."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

from devcluster.product import NAMESPACE, Product

LINES_WANTED = {"time", "level", "logger", "message"}


@dataclass
class OperatorLog:
    """The operator's log since the start of the test run."""

    product: Product
    since: str = field(default_factory=lambda: datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))
    lines: list[str] = field(default_factory=list)

    @contextmanager
    def of_terminating_leader(self) -> Iterator[str]:
        """Keep the complete log of the leader's pod, which the block terminates. Yields the pod's name."""
        pod = leader(self.product)
        with ThreadPoolExecutor(max_workers=1) as pool:
            following = pool.submit(self._read, pod, "--follow")
            yield pod
            self.lines += following.result()

    def keep(self) -> list[str]:
        """Keep the log so far, because a pod may become unreachable. Return all lines."""
        pods = self.product.kubectl("-n", NAMESPACE, "get", "pods", "-o", "jsonpath={.items[*].metadata.name}").split()
        self.lines += [line for pod in pods for line in self._read(pod)]
        return self.lines

    def _read(self, pod: str, *more: str) -> list[str]:
        words = ("-n", NAMESPACE, "logs", pod, f"--since-time={self.since}", *more)
        return self.product.kubectl(*words, timeout=120, check=False).splitlines()


def leader(product: Product) -> str:
    """Return the pod that holds the lease. Its identity is the pod's name with a random suffix."""
    holder = product.kubectl("-n", NAMESPACE, "get", "lease/tts-operator", "-o", "jsonpath={.spec.holderIdentity}")
    return holder.rpartition("-")[0]


def wrong_lines(lines: list[str]) -> list[str]:
    """Return the lines that are not JSON objects with the usual fields, or that contain a traceback."""
    return [line for line in lines if not _is_fine(line)]


def _is_fine(line: str) -> bool:
    try:
        said = json.loads(line)
    except ValueError:
        return False
    return isinstance(said, dict) and said.keys() >= LINES_WANTED and "traceback" not in said
