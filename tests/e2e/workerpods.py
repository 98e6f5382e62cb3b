"""The worker pods of a service over time: when they come and go, how they end, and what their logs say."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.e2e.namespace import Namespace
from tts_operator.json_object import Json

WORKER = "tts-server-worker"
"""The value of app.kubernetes.io/name."""
LAST_WORDS = "no more jobs are taken"


@dataclass
class WorkerPod:
    """A pod. Times are in seconds since the epoch, None if it has not come to that."""

    name: str
    created: float
    ready: float | None = None
    stopping: float | None = None
    gone: float | None = None
    exit_codes: dict[str, int] = field(default_factory=dict)
    """How its containers have ended, by their ids. There are several if it was restarted."""
    log: list[str] = field(default_factory=list)

    @property
    def handed_back(self) -> int | None:
        """How many tasks it had in hand and did not finish when it stopped. None if it has not said so."""
        said = [line for each in self.log if (line := _parsed(each)).get("message") == LAST_WORDS]
        return int(said[-1]["handed_back"]) if said else None


class WorkerPods:
    """All worker pods that have existed since the watch began."""

    def __init__(self, ns: Namespace, service: str) -> None:
        self._ns = ns
        self._selector = f"app.kubernetes.io/name={WORKER},app.kubernetes.io/instance={service}"
        self._pods: dict[str, WorkerPod] = {}
        self._logs: dict[str, threading.Thread] = {}

    @property
    def all(self) -> list[WorkerPod]:
        """The pods, also those that are gone."""
        return list(self._pods.values())

    @property
    def present(self) -> list[WorkerPod]:
        """The pods that exist, also while they stop."""
        return [pod for pod in self.all if pod.gone is None]

    @property
    def ready(self) -> list[WorkerPod]:
        """The pods that are ready and not to stop."""
        return [pod for pod in self.present if pod.ready is not None and pod.stopping is None]

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Watch while the block runs."""
        over = threading.Event()
        thread = threading.Thread(target=self._watch, args=(over,), daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join(30)

    def wait_for_logs(self, seconds: float = 30) -> None:
        """Wait until the logs of all pods that are gone have been read to their ends."""
        for pod in self.all:
            if pod.gone is not None and pod.name in self._logs:
                self._logs[pod.name].join(seconds)

    def _watch(self, over: threading.Event) -> None:
        for change, body in self._ns.proxy.watch(self._ns.name, "pods", selector=self._selector, over=over):
            self._note(change, body)

    def _note(self, change: str, body: Json) -> None:
        now, name = time.time(), body["metadata"]["name"]
        pod = self._pods.setdefault(name, WorkerPod(name, now))
        if pod.ready is None and _is_ready(body):
            pod.ready = now
        if pod.stopping is None and "deletionTimestamp" in body["metadata"]:
            pod.stopping = now
        for container in body["status"].get("containerStatuses", []):
            if "running" in container["state"] and name not in self._logs:
                self._logs[name] = threading.Thread(target=self._follow, args=(pod,), daemon=True)
                self._logs[name].start()
            ended = container["state"].get("terminated") or container.get("lastState", {}).get("terminated")
            if ended is not None:
                pod.exit_codes[ended["containerID"]] = ended["exitCode"]
        if change == "DELETED":
            pod.gone = now

    def _follow(self, pod: WorkerPod) -> None:
        pod.log.extend(self._ns.proxy.log(self._ns.name, pod.name))


def _is_ready(body: Json) -> bool:
    conditions = body["status"].get("conditions", [])
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def _parsed(line: str) -> Json:
    try:
        said = json.loads(line)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}
