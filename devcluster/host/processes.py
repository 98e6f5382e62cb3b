"""The components as processes: started once, identified by pid and start time, never signalled unless they are ours."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path

from devcluster.errors import ComponentFailedError, DevclusterError
from devcluster.host import shell
from devcluster.host.cgroups import Hierarchies
from devcluster.layout import Cluster

NETNS = Path("/run/netns")
# The shell joins the cgroup, then executes the component under the same pid: it never runs outside the cgroup.
_JOIN = 'echo $$ > "$1" && shift && exec "$@"'


@dataclass(frozen=True)
class Component:
    """A program to run continuously."""

    name: str
    argv: tuple[str, ...]
    netns: str | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    inputs: tuple[Path, ...] = ()
    """Configuration files. If one changes, `ensure` restarts the component."""
    env_file: Path | None = None
    """Lines of NAME=VALUE that are added to `env`, but not to the record: secrets."""


@dataclass(frozen=True)
class Record:
    """A started process. Boot, pid and start time identify it, even if its pid is reused."""

    boot: str
    pid: int
    start_time: int
    command: tuple[str, ...]
    """The command, with hashes of its configuration files. A process whose command differs is outdated."""


def start_time(pid: int) -> int | None:
    """Return when a process started, in clock ticks since boot. None if it does not exist or is a zombie."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    state, *fields = text.rpartition(")")[2].split()  # the process name may contain spaces and parentheses
    return None if state in "ZX" else int(fields[18])


def read_record(path: Path) -> Record | None:
    """Return a record, or None unless its process is running."""
    try:
        data = json.loads(path.read_text())
        record = Record(data["boot"], data["pid"], data["start_time"], tuple(data["command"]))
    except (FileNotFoundError, ValueError, KeyError):
        return None
    return record if record.boot == boot_id() and start_time(record.pid) == record.start_time else None


def boot_id() -> str:
    """Return the identifier of the current boot."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def command_line(pid: int) -> list[str]:
    """Return a process's command line as words. Empty if the process does not exist."""
    try:
        text = Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return []
    return [os.fsdecode(word) for word in text.split(b"\0")[:-1]]


class Supervisor:
    """Starts, watches and stops the components of one cluster."""

    def __init__(self, cluster: Cluster, trees: Hierarchies) -> None:
        self._cluster = cluster
        self._procs_file = trees.tracking / cluster.components_cgroup / "cgroup.procs"
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        self._lock = threading.Lock()

    def log_path(self, name: str) -> Path:
        """Return the path of a component's log."""
        return self._cluster.logs / f"{name}.log"

    def record(self, name: str) -> Record | None:
        """Return the record of a component, or None if it is not running."""
        return read_record(self._cluster.records / f"{name}.json")

    def names(self) -> list[str]:
        """Return the names of all components that have been started."""
        return sorted(path.stem for path in self._cluster.records.glob("*.json"))

    def ensure(self, component: Component) -> bool:
        """Start the component unless it is running as specified. Return whether it was started."""
        command = _fingerprint(component)
        record = self.record(component.name)
        if record and record.command == command and _in_netns(record.pid, component.netns):
            return False
        self.stop(component.name)
        self._kill_unrecorded(component)
        self._start(component, command)
        return True

    def stop(self, name: str, timeout: float = 10) -> bool:
        """Stop a component with SIGTERM, then SIGKILL. Return whether it was running."""
        record = self.record(name)
        if record is None:
            (self._cluster.records / f"{name}.json").unlink(missing_ok=True)
            return False
        for sent in (signal.SIGTERM, signal.SIGKILL):
            deadline = time.monotonic() + timeout
            while self.record(name) == record:
                try:
                    os.kill(record.pid, sent)
                except ProcessLookupError:
                    break
                if (
                    not _wait_until(lambda: self.record(name) != record, min(deadline, time.monotonic() + 1))
                    and time.monotonic() > deadline
                ):
                    break
        if self.record(name) == record:
            raise DevclusterError(f"{name} (pid {record.pid}) does not exit")
        (self._cluster.records / f"{name}.json").unlink(missing_ok=True)
        return True

    def wait(self, what: str, check: Callable[[], bool], deadline: float, components: Sequence[str] = ()) -> None:
        """Wait until `check` returns true.

        Raises ComponentFailedError, with the tail of the logs, when one of `components` exits, or when `deadline`
        (monotonic time) passes.
        """
        while not check():
            for name in components:
                if self.record(name) is None:
                    raise ComponentFailedError(self._failure(name))
            if time.monotonic() > deadline:
                tails = "\n".join(
                    f"tail of {self.log_path(name)}:\n{shell.tail(self.log_path(name))}" for name in components
                )
                raise ComponentFailedError(f"timed out waiting for {what}\n{tails}".rstrip())
            time.sleep(0.05)

    def _kill_unrecorded(self, component: Component) -> None:
        """Kill a process that an earlier `up` started but did not record, because it was interrupted."""
        for pid in map(int, self._procs_file.read_text().split()):
            words = tuple(command_line(pid))
            if pid and words[-len(component.argv) :] == component.argv:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                _wait_until(partial(_is_gone, pid), time.monotonic() + 5)

    def _start(self, component: Component, command: tuple[str, ...]) -> None:
        self._cluster.records.mkdir(parents=True, exist_ok=True)
        self._cluster.logs.mkdir(parents=True, exist_ok=True)
        log = self.log_path(component.name)
        if log.exists():
            log.replace(log.with_suffix(".log.1"))
        enter = ("nsenter", f"--net={NETNS / component.netns}", "--") if component.netns else ()
        with log.open("wb") as out, self._lock:
            process = subprocess.Popen(
                ["/bin/sh", "-c", _JOIN, "sh", str(self._procs_file), *enter, *component.argv],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                cwd=self._cluster.state,
                env={**os.environ, **component.env, **_secret_environment(component)},
            )
        self._children[component.name] = process  # keep a reference, to reap the child when it exits
        started = start_time(process.pid)
        if started is None:
            process.poll()
            raise ComponentFailedError(self._failure(component.name))
        path = self._cluster.records / f"{component.name}.json"
        scratch = path.with_suffix(".new")
        scratch.write_text(json.dumps(asdict(Record(boot_id(), process.pid, started, command))))
        scratch.replace(path)

    def _failure(self, name: str) -> str:
        child = self._children.get(name)
        code = child.poll() if child else None
        how = "exited" if code is None else f"exited with code {code}"
        log = self.log_path(name)
        return f"{name} {how}; tail of {log}:\n{shell.tail(log)}"


def _fingerprint(component: Component) -> tuple[str, ...]:
    files = (*component.inputs, *([component.env_file] if component.env_file else []))
    stamps = (f"{path}@{hash_of(path)}" for path in files)
    return (*component.argv, *(f"{key}={value}" for key, value in component.env.items()), *stamps)


def _secret_environment(component: Component) -> dict[str, str]:
    if component.env_file is None:
        return {}
    pairs = (line.partition("=") for line in component.env_file.read_text().splitlines())
    return {name: value for name, _, value in pairs}


def hash_of(path: Path) -> str:
    """Return a short hash of a file's content."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]


def _in_netns(pid: int, netns: str | None) -> bool:
    """Whether the process is in the namespace that currently has this name, which may have been recreated."""
    if netns is None:
        return True
    try:
        return Path(f"/proc/{pid}/ns/net").stat().st_ino == (NETNS / netns).stat().st_ino
    except FileNotFoundError:
        return False


def _is_gone(pid: int) -> bool:
    return start_time(pid) is None


def _wait_until(check: Callable[[], bool], deadline: float) -> bool:
    while not check():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True
