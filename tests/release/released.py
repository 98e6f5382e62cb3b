"""A built release, a registry, and the commands that make and read them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from devcluster import binaries
from devcluster.images import baseimage
from devcluster.product import ROOT
from devcluster.progress import Progress

ARCHITECTURES = os.environ.get("ARCHITECTURES", baseimage.host_architecture()).split(",")


def run(
    *command: str | Path, cwd: Path = ROOT, timeout: float = 60, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command, and show its output if it fails."""
    done = subprocess.run(
        command,
        cwd=cwd,
        env={**os.environ, **(env or {})},
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert done.returncode == 0, f"{' '.join(map(str, command))}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    return done


def release_command(
    *words: str | Path, timeout: float = 600, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run what `make release`, `make push`, and `make airgap` run, with SNAPSHOT=1."""
    path = f"{ROOT / 'operator'}{os.pathsep}{ROOT}"
    command = (sys.executable, "-m", "release", "--snapshot", *words)
    return run(*command, timeout=timeout, env={"PYTHONPATH": path, **(env or {})})


def program(name: str) -> Path:
    """Return the path of a program of others, compiled if it is missing."""
    binaries.ensure([name], Progress())
    return binaries.path_of(name)


@dataclass(frozen=True)
class Image:
    """A line of images.txt."""

    archive: Path
    name: str
    """Without the registry, such as tts-operator/tts-server."""
    tag: str
    digest: str
    """As values-digests.yaml has it."""


@dataclass(frozen=True)
class Release:
    """A folder in dist/."""

    folder: Path
    version: str

    def images(self) -> Sequence[Image]:
        """The images, the operator's first."""
        values = yaml.safe_load((self.folder / "values-digests.yaml").read_text())
        digests = {"tts-operator": values["image"]["digest"], "tts-server": values["serverImage"]["digest"]}
        found = []
        for line in (self.folder / "images.txt").read_text().splitlines():
            archive, reference = line.split()
            name, _, tag = reference.partition("/")[2].rpartition(":")
            found.append(Image(self.folder / archive, name, tag, digests[name.rpartition("/")[2]]))
        return found


@dataclass(frozen=True)
class Registry:
    """A registry on this machine, without TLS."""

    address: str
    """HOST:PORT/PATH."""

    @property
    def options(self) -> dict[str, str]:
        """What makes load.sh do without TLS."""
        return {"SKOPEO_OPTIONS": "--dest-tls-verify=false", "HELM_OPTIONS": "--plain-http"}
