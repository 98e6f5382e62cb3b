"""Control groups, version 1 and 2: made, listed, killed and removed by the folders of one cluster.

Every component joins the cluster's cgroup before it becomes itself, and children inherit it, so what is found in the
cgroup is the cluster's, whatever it is called and whoever started it.
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
    """The cgroup trees of a machine: one in version 2, one per controller in version 1."""

    roots: tuple[Path, ...]
    unified: bool
    beside: tuple[Path, ...] = ()
    """A version 2 tree beside those of version 1: runtimes leave folders there, without limits in them."""

    @property
    def tracking(self) -> Path:
        """The tree in which the components are kept together."""
        if self.unified:
            return self.roots[0]
        named = {root.name: root for root in self.roots}
        # pids and the named tree say nothing about shares of the machine: membership there changes no limit.
        return named.get("systemd") or named.get("pids") or self.roots[0]


def detect(mount: Path = MOUNT) -> Hierarchies:
    """Return the machine's cgroup trees."""
    if (mount / "cgroup.controllers").exists():
        return Hierarchies((mount,), unified=True)
    roots: dict[Path, Path] = {}
    beside = []
    for folder in sorted(mount.iterdir()) if mount.is_dir() else ():
        if (folder / "cgroup.controllers").exists():
            beside.append(folder)
        elif (folder / "cgroup.procs").exists():
            roots.setdefault(folder.resolve(), folder)  # cpu, cpuacct and cpu,cpuacct may be one tree
    if not roots:
        raise DevclusterError(f"no cgroups are mounted under {mount}; nodes and clean-up need them")
    return Hierarchies(tuple(roots), unified=False, beside=tuple(beside))


def create(trees: Hierarchies, group: str) -> None:
    """Make the cgroup in every tree, usable by a container runtime."""
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
    """Return the pids in the cgroup and in all below it, in any tree."""
    pids: set[int] = set()
    for root in (*trees.roots, *trees.beside):
        for folder, _, _ in os.walk(root / group):
            try:
                pids.update(int(line) for line in (Path(folder) / "cgroup.procs").read_text().split())
            except OSError:
                continue  # removed meanwhile
    pids.discard(0)  # a process of another pid namespace
    return pids


def kill(trees: Hierarchies, group: str, timeout: float = 20) -> None:
    """End every process in the cgroup; an error when some will not go."""
    deadline = time.monotonic() + timeout
    while left := members(trees, group):
        if time.monotonic() > deadline:
            raise DevclusterError(f"processes of cgroup {group} do not end: {sorted(left)}")
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
    """Remove the cgroup and all below it; the processes must be gone."""
    deadline = time.monotonic() + timeout
    for root in (*trees.roots, *trees.beside):
        while (root / group).exists():
            for folder, _, _ in os.walk(root / group, topdown=False):
                with contextlib.suppress(OSError):  # busy for a moment after its last process ended
                    Path(folder).rmdir()
            if not (root / group).exists():
                break
            if time.monotonic() > deadline:
                raise DevclusterError(f"cgroup {root / group} cannot be removed")
            time.sleep(0.02)
        parent = (root / group).parent
        if parent != root:
            with contextlib.suppress(OSError):
                parent.rmdir()  # only when no other cluster is in it


def _enable_controllers(path: Path) -> None:
    available = (path / "cgroup.controllers").read_text().split()
    for controller in available:
        try:
            (path / "cgroup.subtree_control").write_text(f"+{controller}")
        except OSError:
            continue  # a controller that the kernel keeps for itself


def _inherit_cpuset(path: Path) -> None:
    for name in ("cpuset.cpus", "cpuset.mems"):
        file = path / name
        if file.exists() and not file.read_text().strip():
            file.write_text((path.parent / name).read_text())


def _thaw(trees: Hierarchies, group: str) -> None:
    """Wake frozen processes: in version 1 a frozen one does not even die of SIGKILL."""
    for root in trees.roots:
        for folder, _, files in os.walk(root / group):
            if "freezer.state" in files:
                try:
                    (Path(folder) / "freezer.state").write_text("THAWED")
                except OSError:
                    continue
