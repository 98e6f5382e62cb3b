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
NO_LOG = "unable to retrieve container logs"
"""What a kubelet says instead of the log of a container that it has removed."""
LEASE_LOST = "stopping because the lease is lost"
"""The last words of an operator that could not renew its lease, as where the API server is away for long."""


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
        said = self.product.kubectl(*words, timeout=120, check=False)
        return [line for line in said.splitlines() if not line.startswith(NO_LOG)]


def leader(product: Product) -> str:
    """Return the pod that holds the lease. Its identity is the pod's name with a random suffix."""
    holder = product.kubectl("-n", NAMESPACE, "get", "lease/tts-operator", "-o", "jsonpath={.spec.holderIdentity}")
    return holder.rpartition("-")[0]


def crashed(product: Product) -> list[str]:
    """The pods whose container has ended by itself, but for one that had lost its lease, which is by design."""
    shown = '{range .items[*]}{.metadata.name} {.status.containerStatuses[0].restartCount}{"\\n"}{end}'
    said = product.kubectl("-n", NAMESPACE, "get", "pods", "-o", f"jsonpath={shown}")
    ended = [words[0] for line in said.splitlines() if len(words := line.split()) > 1 and words[1] != "0"]
    last = {
        pod: product.kubectl("-n", NAMESPACE, "logs", pod, "--previous", "--tail=1", timeout=120, check=False)
        for pod in ended
    }
    return [f"{pod}: {line}" for pod, line in last.items() if LEASE_LOST not in line]


def wrong_lines(lines: list[str]) -> list[str]:
    """Return the lines that are not JSON objects with the usual fields, or that contain a traceback."""
    return [line for line in lines if not _is_fine(line)]


def _is_fine(line: str) -> bool:
    try:
        said = json.loads(line)
    except ValueError:
        return False
    return isinstance(said, dict) and said.keys() >= LINES_WANTED and "traceback" not in said
