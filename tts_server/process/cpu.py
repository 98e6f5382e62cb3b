"""The number of CPUs that this process may use: the limit of its cgroup, not the size of the machine."""

import math
import os
from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup")


def cpu_limit(cgroup: Path = _CGROUP, affinity: int | None = None) -> int:
    """Return the CPU limit, rounded up: at least 1, at most the number of CPUs that the process may run on."""
    available = affinity or len(os.sched_getaffinity(0))
    quota = _quota_v2(cgroup) or _quota_v1(cgroup)
    return max(1, min(available, math.ceil(quota))) if quota else available


def _quota_v2(cgroup: Path) -> float | None:
    # "200000 100000", or "max 100000" without a limit
    words = _read(cgroup / "cpu.max").split()
    if len(words) != 2 or words[0] == "max":  # noqa: PLR2004 - quota and period
        return None
    return int(words[0]) / int(words[1])


def _quota_v1(cgroup: Path) -> float | None:
    quota = _read(cgroup / "cpu" / "cpu.cfs_quota_us")
    period = _read(cgroup / "cpu" / "cpu.cfs_period_us")
    if not quota or not period or int(quota) <= 0:  # -1 without a limit
        return None
    return int(quota) / int(period)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except OSError:
        return ""
