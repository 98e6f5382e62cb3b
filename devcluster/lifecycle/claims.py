"""Claims of cluster indexes, locks on clusters, and their stored specs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from devcluster.errors import DevclusterError
from devcluster.host import filelock
from devcluster.layout import MAX_CLUSTERS, RUN_ROOT, Cluster, check_name, state_home
from devcluster.progress import Progress


@dataclass(frozen=True)
class Spec:
    """The spec of a cluster, stored so that a later `up` without options repairs the same cluster."""

    nodes: int
    kwok: int
    ingress: bool = False
    kafka: bool = False
    s3: bool = False
    keda: bool = False


@contextmanager
def locked(name: str, progress: Progress, timeout: float = 900) -> Iterator[None]:
    """Hold the lock on a cluster, so that only one command at a time changes it."""
    check_name(name)
    holder = f"another devcluster command is changing cluster {name!r}"
    with filelock.held(state_home() / f".{name}.lock", timeout=timeout, holder=holder, progress=progress):
        yield


def claim(name: str) -> Cluster:
    """Return a cluster with its index, which is allocated if it has none."""
    with filelock.held(
        RUN_ROOT / "claims" / ".lock", timeout=30, holder="another devcluster command is allocating addresses"
    ):
        known = find(name)
        for index in range(MAX_CLUSTERS) if known is None else (known.index,):
            owner = _owner(index)
            if owner in (None, str(state_home() / name)):
                cluster = Cluster(name, index, state_home())
                _claim_path(index).write_text(str(cluster.state))
                cluster.state.mkdir(parents=True, exist_ok=True, mode=0o700)
                (cluster.state / "index").write_text(str(index))
                return cluster
    if known is not None:
        raise DevclusterError(
            f"the addresses of cluster {name!r} (index {known.index}) are in use by {_owner(known.index)}; "
            f"remove one of the two: python -m devcluster down --name {name}"
        )
    raise DevclusterError(f"{MAX_CLUSTERS} clusters exist already; remove one: python -m devcluster down --name NAME")


def find(name: str) -> Cluster | None:
    """Return a cluster, or None if nothing of it exists."""
    check_name(name)
    state = state_home() / name
    try:
        return Cluster(name, int((state / "index").read_text()), state_home())
    except (FileNotFoundError, ValueError):
        pass
    # Processes and interfaces may outlive the state folder; the claim still records the index.
    for index in range(MAX_CLUSTERS):
        if _owner(index) == str(state):
            return Cluster(name, index, state_home())
    return None


def existing(name: str) -> Cluster:
    """Return a cluster. Raises DevclusterError if it does not exist."""
    cluster = find(name)
    if cluster is None:
        raise DevclusterError(f"cluster {name!r} does not exist; create it: python -m devcluster up --name {name}")
    return cluster


def is_ours(cluster: Cluster) -> bool:
    """Whether the cluster's index is not claimed by another state folder."""
    return _owner(cluster.index) in (None, str(cluster.state))


def release(cluster: Cluster) -> None:
    """Release the cluster's index."""
    if _owner(cluster.index) == str(cluster.state):
        _claim_path(cluster.index).unlink(missing_ok=True)


def write_spec(cluster: Cluster, spec: Spec) -> None:
    """Store the cluster's spec."""
    (cluster.state / "spec.json").write_text(json.dumps(asdict(spec)))


def read_spec(cluster: Cluster) -> Spec | None:
    """Return the cluster's stored spec, or None if there is none."""
    try:
        return Spec(**json.loads((cluster.state / "spec.json").read_text()))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def _claim_path(index: int) -> Path:
    return RUN_ROOT / "claims" / str(index)


def _owner(index: int) -> str | None:
    try:
        return _claim_path(index).read_text() or None
    except FileNotFoundError:
        return None
