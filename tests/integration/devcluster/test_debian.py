"""Packages that are installed by two commands at once."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from devcluster.host import debian
from devcluster.progress import Progress

# As apt-get does, it fails at once if another one is at it.
APT_GET = """#!/bin/sh
mkdir "$APT_LOCK" || { echo "E: Could not get lock" >&2; exit 100; }
sleep 0.2
rmdir "$APT_LOCK"
echo "$@" >>"$APT_CALLS"
"""


def test_one_apt_get_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    apt_get, calls = tmp_path / "apt-get", tmp_path / "calls"
    apt_get.write_text(APT_GET)
    apt_get.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setenv("APT_LOCK", str(tmp_path / "lock"))
    monkeypatch.setenv("APT_CALLS", str(calls))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with ThreadPoolExecutor(4) as pool:
        logs = list(pool.map(lambda package: debian.install([package], Progress()), "abcd"))
    assert set(logs) == {tmp_path / "cache" / "tts-devcluster" / "apt.log"}
    installed = sorted(line[-1] for line in calls.read_text().splitlines() if line.startswith("install"))
    assert installed == ["a", "b", "c", "d"]
