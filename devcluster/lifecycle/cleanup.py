"""`down`: remove everything that a cluster created, whatever state it is in."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import time
from pathlib import Path

from devcluster.errors import DevclusterError
from devcluster.host import cgroups, network, shell
from devcluster.host.processes import command_line, read_record, start_time
from devcluster.layout import Cluster, cache_home
from devcluster.lifecycle import claims
from devcluster.progress import Progress

CONTAINER_LOGS = Path("/var/log/containers")
CNI_RESULTS = Path("/var/lib/cni/results")


def down(cluster: Cluster, progress: Progress) -> None:
    """Remove the cluster, whose lock the caller must hold. A second call completes an interrupted one."""
    if not claims.is_ours(cluster):
        # After a reboot, another cluster claimed the index: whatever runs under it now belongs to that cluster.
        _remove_tree(cluster.state)
        return
    with progress.step("stop all processes"):
        kill_processes(cluster)
    with progress.step("remove mounts, interfaces, cgroups and files"):
        unmount(cluster)
        network.remove(cluster)
        trees = cgroups.detect()
        cgroups.remove(trees, cluster.cgroup)
        _remove_sockets(cluster)
        _remove_foreign_files(cluster)
        shutil.rmtree(cluster.run, ignore_errors=True)
        _remove_tree(cluster.state)
        claims.release(cluster)


def kill_processes(cluster: Cluster) -> None:
    """Kill every process of the cluster. Its cgroup, its record, or paths in its command identify it."""
    trees = cgroups.detect()
    deadline = time.monotonic() + 30
    while True:
        cgroups.kill(trees, cluster.cgroup)
        strays = recorded(cluster) | by_command(cluster)
        if not strays:
            return
        if time.monotonic() > deadline:
            raise DevclusterError(f"cannot kill processes of cluster {cluster.name!r}: {sorted(strays)}")
        for pid in strays:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.02)


def recorded(cluster: Cluster) -> set[int]:
    """Return the pids of recorded processes that are still running. The start time excludes reused pids."""
    records = (read_record(path) for path in cluster.records.glob("*.json"))
    return {record.pid for record in records if record}


def by_command(cluster: Cluster) -> set[int]:
    """Return the pids of our programs that have a path below the cluster's folders in their command line."""
    marks = tuple(f"{path}/" for path in (cluster.state, cluster.run))
    programs = f"{cache_home() / 'bin'}/"
    found = set()
    for pid in (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()):
        words = command_line(pid)
        # Only programs that we start: an editor or `tail -f` on one of these files belongs to the user.
        ours = words and (words[0].startswith(programs) or Path(words[0]).name in ("runc", "nsenter"))
        if ours and pid != os.getpid() and any(mark in word for word in words[1:] for mark in marks):
            found.add(pid)
    return {pid for pid in found if start_time(pid)}


def unmount(cluster: Cluster) -> None:
    """Unmount everything below the cluster's folders, deepest first."""
    for point in sorted(mounts(cluster), key=len, reverse=True):
        shell.run(["umount", "--lazy", point], check=False)


def mounts(cluster: Cluster) -> list[str]:
    """Return the mount points below the cluster's folders."""
    roots = tuple(f"{path}/" for path in (cluster.state.resolve(), cluster.run.resolve()))
    points = []
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        point = line.split()[4].encode().decode("unicode_escape")
        if point.startswith(roots):
            points.append(point)
    return points


def _remove_sockets(cluster: Cluster) -> None:
    """Remove the shims' sockets, which containerd creates in a folder that all its instances share."""
    for name in ("address", "bootstrap.json"):
        for path in cluster.run.glob(f"*/state/io.containerd.runtime.v2.task/k8s.io/*/{name}"):
            text = path.read_text()
            if name == "bootstrap.json":
                try:
                    text = str(json.loads(text).get("address", ""))
                except ValueError:
                    continue
            socket = Path(text.strip().removeprefix("unix://"))
            if socket.is_relative_to("/run/containerd/s"):
                socket.unlink(missing_ok=True)


def _remove_foreign_files(cluster: Cluster) -> None:
    """Remove files that the kubelet and the CNI library write to fixed paths."""
    for link in CONTAINER_LOGS.glob("*.log"):
        with contextlib.suppress(FileNotFoundError):  # the kubelet of another cluster may remove its own at any time
            if link.is_symlink() and link.readlink().is_relative_to(cluster.state):
                link.unlink()
    for path in CNI_RESULTS.glob(f"{cluster.bridge}-*"):
        path.unlink(missing_ok=True)


def _remove_tree(path: Path) -> None:
    deadline = time.monotonic() + 10
    while path.exists():
        shutil.rmtree(path, ignore_errors=True)
        if path.exists():
            if time.monotonic() > deadline:
                raise DevclusterError(f"cannot remove {path}")
            time.sleep(0.05)
