"""kind itself reads what `make demo CLUSTER=kind` gives it, up to the first container, which only Docker can start."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from devcluster.errors import DevclusterError
from devcluster.host import shell
from devcluster.progress import Progress
from devcluster.provider import Kind, Size
from tests.release.released import program

DOCKER = """\
#!/bin/sh
printf '%s\\n' "$*" >>"$DOCKER_LOG"
case "$1 $2" in
"-v "*) echo "Docker version 28.0.0, build 0" ;;
"info --format") echo '{"CgroupDriver":"systemd","CgroupVersion":"2"}' ;;
"inspect --type=image" | "image inspect") echo sha256:0123456789ab ;;
"network ls" | "network inspect" | "network create") echo 0123456789ab ;;
"ps -a") ;;
"run "*)
  # kind starts all at once, and gives up with the first that fails.
  for _ in $(seq 100); do [ "$(grep -c '^run ' "$DOCKER_LOG")" -ge 4 ] && break; sleep 0.1; done
  echo "no container can be started here" >&2; exit 125 ;;
esac
"""
"""Answers what kind asks before it starts a container."""


@pytest.fixture
def docker_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """kind on the PATH, and what it asks Docker."""
    (tmp_path / "docker").write_text(DOCKER)
    (tmp_path / "docker").chmod(0o755)
    (tmp_path / "kind").symlink_to(program("kind"))
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("DOCKER_LOG", str(tmp_path / "docker.log"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "docker.log"


def test_kind_would_start_a_control_plane_and_a_worker_in_each_zone(docker_log: Path) -> None:
    with pytest.raises(DevclusterError, match="no container can be started here"):
        Kind("tts", Progress()).up(Size(nodes=3))
    started = [line for line in docker_log.read_text().splitlines() if line.startswith("run ")]
    assert sum("--name tts-control-plane" in line for line in started) == 1
    assert sum("--name tts-worker" in line for line in started) == 3


def test_kind_refuses_a_mistake_in_the_configuration(docker_log: Path) -> None:
    """So the test above shows that kind reads the configuration."""
    wrong = {"kind": "Cluster", "apiVersion": "kind.x-k8s.io/v1alpha4", "nodes": [{"role": "worker", "zone": "a"}]}
    with pytest.raises(DevclusterError, match="field zone not found"):
        shell.run(["kind", "create", "cluster", "--name", "tts", "--config", "-"], stdin=json.dumps(wrong))
    assert not docker_log.exists() or "run " not in docker_log.read_text()


def test_kind_knows_the_options_of_the_other_commands(docker_log: Path) -> None:
    kind = Kind("tts", Progress())
    with pytest.raises(DevclusterError, match='no nodes found for cluster "tts"'):
        kind.load_image("ghcr.io/tts-operator/tts-server:dev")
    with pytest.raises(DevclusterError, match="could not locate any control plane nodes"):
        kind.kubeconfig()
    kind.down()
    assert "ps -a" in docker_log.read_text()
