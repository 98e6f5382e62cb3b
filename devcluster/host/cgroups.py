"""Control groups, versions 1 and 2: create, list, kill and remove the cgroups of a cluster.

Every component joins the cluster's cgroup before it executes, and child processes inherit it. So every process in the
cgroup belongs to the cluster, whatever its name and whoever started it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from devcluster.errors import DevclusterError

MOUNT = Path("/sys/fs/cgroup")


@dataclass(frozen=True)
class Hierarchies:
    """The cgroup hierarchies of a machine: one in version 2, one per controller in version 1."""

    roots: tuple[Path, ...]
    unified: bool
    hybrid: tuple[Path, ...] = ()
    """Version 2 hierarchies on a version 1 machine. Container runtimes create cgroups there, without limits."""

    @property
    def tracking(self) -> Path:
        """The hierarchy that tracks the components."""
        if self.unified:
            return self.roots[0]
        named = {root.name: root for root in self.roots}
        # Membership in pids and in the named hierarchy changes no resource limit.
        return named.get("systemd") or named.get("pids") or self.roots[0]


def detect(mount: Path = MOUNT) -> Hierarchies:
    """Return the machine's cgroup hierarchies."""
    if (mount / "cgroup.controllers").exists():
        return Hierarchies((mount,), unified=True)
    roots: dict[Path, Path] = {}
    hybrid = []
    for folder in sorted(mount.iterdir()) if mount.is_dir() else ():
        if (folder / "cgroup.controllers").exists():
            hybrid.append(folder)
        elif (folder / "cgroup.procs").exists():
            roots.setdefault(folder.resolve(), folder)  # cpu, cpuacct and cpu,cpuacct may be one hierarchy
    if not roots:
        raise DevclusterError(f"no cgroups are mounted under {mount}; devcluster needs them for nodes and for cleanup")
    return Hierarchies(tuple(roots), unified=False, hybrid=tuple(hybrid))


def create(trees: Hierarchies, group: str) -> None:
    """Create the cgroup in every hierarchy, ready for a container runtime."""
    for root in trees.roots:
        path = root
        for part in Path(group).parts:
            if trees.unified:
                _enable_controllers(path)
            path = path / part
            path.mkdir(exist_ok=True)
            if not trees.unified:
                _inherit_cpuset(path)
    if trees.unified and not group.endswith("/components"):
        _enable_controllers(root / group)


def members(trees: Hierarchies, group: str) -> set[int]:
    """Return the pids in the cgroup and its descendants, in any hierarchy."""
    pids: set[int] = set()
    for root in (*trees.roots, *trees.hybrid):
        for folder, _, _ in os.walk(root / group):
            try:
                pids.update(int(line) for line in (Path(folder) / "cgroup.procs").read_text().split())
            except OSError:
                continue  # removed in the meantime
    pids.discard(0)  # a process in another pid namespace
    return pids


def kill(trees: Hierarchies, group: str, timeout: float = 20) -> None:
    """Kill every process in the cgroup. Raises DevclusterError if any survives `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while left := members(trees, group):
        if time.monotonic() > deadline:
            raise DevclusterError(f"cannot kill the processes of cgroup {group}: {sorted(left)}")
        switch = trees.roots[0] / group / "cgroup.kill"
        if trees.unified and switch.exists():
            switch.write_text("1")
        else:
            _thaw(trees, group)
            for pid in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        time.sleep(0.02)


def remove(trees: Hierarchies, group: str, timeout: float = 10) -> None:
    """Remove the cgroup and its descendants. They must contain no process."""
    deadline = time.monotonic() + timeout
    for root in (*trees.roots, *trees.hybrid):
        while (root / group).exists():
            for folder, _, _ in os.walk(root / group, topdown=False):
                with contextlib.suppress(OSError):  # still busy just after its last process exited
                    Path(folder).rmdir()
            if not (root / group).exists():
                break
            if time.monotonic() > deadline:
                raise DevclusterError(f"cannot remove cgroup {root / group}")
            time.sleep(0.02)
        parent = (root / group).parent
        if parent != root:
            with contextlib.suppress(OSError):
                parent.rmdir()  # succeeds only if no other cluster uses it


def _enable_controllers(path: Path) -> None:
    available = (path / "cgroup.controllers").read_text().split()
    for controller in available:
        try:
            (path / "cgroup.subtree_control").write_text(f"+{controller}")
        except OSError:
            continue  # a controller that the kernel does not delegate


def _inherit_cpuset(path: Path) -> None:
    for name in ("cpuset.cpus", "cpuset.mems"):
        file = path / name
        if file.exists() and not file.read_text().strip():
            file.write_text((path.parent / name).read_text())


def _thaw(trees: Hierarchies, group: str) -> None:
    """Thaw frozen processes: in version 1, SIGKILL does not end a frozen process."""
    for root in trees.roots:
        for folder, _, files in os.walk(root / group):
            if "freezer.state" in files:
                try:
                    (Path(folder) / "freezer.state").write_text("THAWED")
                except OSError:
                    continue
