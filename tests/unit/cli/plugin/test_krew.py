"""The archive for krew runs without anything else but Python."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
import yaml

from tts_operator import __version__

ROOT = Path(__file__).parents[4]
URL = "https://example.com/{version}/kubectl-tts.tar.gz"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("krew")
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "operator")}
    command = [sys.executable, str(ROOT / "integrations/krew/build.py"), str(folder), URL]
    subprocess.run(command, check=True, timeout=60, env=environment)
    with tarfile.open(folder / "kubectl-tts.tar.gz") as archive:
        archive.extractall(folder / "store", filter="data")
    return folder


def run(built: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run it as krew has installed it: by a link, and without what this environment has."""
    link = built / "kubectl-tts"
    link.unlink(missing_ok=True)
    link.symlink_to(built / "store" / "kubectl-tts")
    command = [sys.executable, "-I", "-S", str(link), *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env={"PATH": str(built)})


def test_it_runs(built: Path) -> None:
    done = run(built, "version", "--client")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"plugin  {__version__}\n", "")
    done = run(built, "get")
    assert (done.returncode, done.stderr.startswith("error: kubectl is not on the PATH")) == (4, True)


def test_what_needs_more_says_so(built: Path) -> None:
    done = run(built, "lint", "a.yaml")
    assert done.returncode == 3
    assert done.stderr.startswith("error: this installation of the plugin lacks ")
    assert len(done.stderr.splitlines()) == 1


def test_the_manifest_names_the_archive(built: Path) -> None:
    found = yaml.safe_load((built / "tts.yaml").read_text())["spec"]
    (platform,) = found["platforms"]
    assert found["version"] == f"v{__version__}"
    assert platform["uri"] == URL.replace("{version}", f"v{__version__}")
    assert platform["sha256"] == hashlib.sha256((built / "kubectl-tts.tar.gz").read_bytes()).hexdigest()
