"""Removing all that a cluster made, from whatever state it was left in."""

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
    """Remove the cluster; call it with the cluster's lock held. A second call finishes what a first one did not."""
    if not claims.is_ours(cluster):
        # After a reboot another state folder took the index: what runs under it now is that cluster's.
        _remove_tree(cluster.state)
        return
    with progress.step("end its processes"):
        kill_processes(cluster)
    with progress.step("remove mounts, interfaces, control groups and files"):
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
    """End every process that is proven to be the cluster's: by its cgroup, its record, or our paths in its command."""
    trees = cgroups.detect()
    deadline = time.monotonic() + 30
    while True:
        cgroups.kill(trees, cluster.cgroup)
        strays = recorded(cluster) | by_command(cluster)
        if not strays:
            return
        if time.monotonic() > deadline:
            raise DevclusterError(f"processes of cluster {cluster.name!r} do not end: {sorted(strays)}")
        for pid in strays:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.02)


def recorded(cluster: Cluster) -> set[int]:
    """Return the recorded processes that still live; the start time tells them from a later owner of the pid."""
    records = (read_record(path) for path in cluster.records.glob("*.json"))
    return {record.pid for record in records if record}


def by_command(cluster: Cluster) -> set[int]:
    """Return the programs of ours that were given a path below the cluster's folders."""
    marks = tuple(f"{path}/" for path in (cluster.state, cluster.run))
    programs = f"{cache_home() / 'bin'}/"
    found = set()
    for pid in (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()):
        words = command_line(pid)
        # Only programs that we start: an editor or a `tail -f` with one of our files open is the user's.
        ours = words and (words[0].startswith(programs) or Path(words[0]).name in ("runc", "nsenter"))
        if ours and pid != os.getpid() and any(mark in word for word in words[1:] for mark in marks):
            found.add(pid)
    return {pid for pid in found if start_time(pid)}


def unmount(cluster: Cluster) -> None:
    """Detach every mount below the cluster's folders, the deepest first."""
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
    """Remove the shims' sockets: containerd puts them in a folder that all its instances share."""
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
    """Remove what the kubelet and the CNI library write at fixed places."""
    for link in CONTAINER_LOGS.glob("*.log"):
        if link.is_symlink() and link.readlink().is_relative_to(cluster.state):
            link.unlink(missing_ok=True)
    for path in CNI_RESULTS.glob(f"{cluster.bridge}-*"):
        path.unlink(missing_ok=True)


def _remove_tree(path: Path) -> None:
    deadline = time.monotonic() + 10
    while path.exists():
        shutil.rmtree(path, ignore_errors=True)
        if path.exists():
            if time.monotonic() > deadline:
                raise DevclusterError(f"{path} cannot be removed")
            time.sleep(0.05)
