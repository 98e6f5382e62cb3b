"""krew itself checks the manifest, and installs the plugin, which runs."""

from __future__ import annotations

import http.server
import os
import sys
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from devcluster.product import ROOT
from tests.release.released import program, run
from tts_operator import __version__


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder with the archive and the manifest, which names an address from which the archive can be had."""
    folder = tmp_path_factory.mktemp("krew")
    handler = partial(http.server.SimpleHTTPRequestHandler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        url = f"http://127.0.0.1:{server.server_port}/kubectl-tts.tar.gz"
        build = (sys.executable, ROOT / "integrations/krew/build.py", folder, url)
        run(*build, env={"PYTHONPATH": str(ROOT / "operator")})
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield folder
        server.shutdown()


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """kubectl with krew as its plugin, and a home of krew's own."""
    programs = tmp_path_factory.mktemp("bin")
    (programs / "kubectl").symlink_to(program("kubectl"))
    (programs / "kubectl-krew").symlink_to(program("krew"))
    home = tmp_path_factory.mktemp("home")
    path = os.pathsep.join([str(programs), str(home / "bin"), os.environ["PATH"]])
    return {"KREW_ROOT": str(home), "KREW_NO_UPGRADE_CHECK": "1", "PATH": path}


def test_its_validator_finds_nothing(published: Path, environment: dict[str, str]) -> None:
    """It also installs the plugin for each platform of the manifest."""
    validate = (program("validate-krew-manifest"), "-manifest", published / "tts.yaml")
    found = run(*validate, cwd=published, timeout=100, env=environment).stderr
    assert "all 1 spec.platforms installed fine" in found
    assert "exceeds" not in found  # it only warns of long lines


def test_it_installs_the_plugin_from_the_archive(published: Path, environment: dict[str, str]) -> None:
    """As integrations/krew/README.md says."""
    files = (f"--manifest={published / 'tts.yaml'}", f"--archive={published / 'kubectl-tts.tar.gz'}")
    done = run("kubectl", "krew", "install", *files, env=environment)
    assert "Installed plugin: tts" in done.stderr
    assert run("kubectl", "tts", "version", "--client", env=environment).stdout == f"plugin  {__version__}\n"
