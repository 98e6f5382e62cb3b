"""A release, built, signed, and pushed to a real registry: `make test-release`. The first test that needs it builds it.

ARCHITECTURES names the images' architectures, as for `make release`. The default is that of this machine.
"""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest
import yaml

from devcluster.backends import local
from devcluster.product import ROOT
from tests.release.released import ARCHITECTURES, Registry, Release, program, release_command, run

BUILD_SECONDS = 3 * 3600.0
"""Emulating another architecture takes ten times as long."""


@pytest.fixture(scope="session")
def release(tmp_path_factory: pytest.TempPathFactory) -> Release:
    """What `make release` writes, signed."""
    key = tmp_path_factory.mktemp("key") / "key.pem"
    run("openssl", "ecparam", "-genkey", "-name", "prime256v1", "-noout", "-out", key)
    build = ("build", "--architectures", ",".join(ARCHITECTURES), "--key", key)
    release_command(*build, timeout=BUILD_SECONDS)
    version = f"{yaml.safe_load((ROOT / 'charts/tts-operator/Chart.yaml').read_text())['version']}-snapshot"
    return Release(ROOT / "dist" / f"tts-operator-{version}", version)


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """Distribution, the registry that most others are made of."""
    folder = tmp_path_factory.mktemp("registry")
    (port,) = local.free_ports(1)
    settings = {
        "version": "0.1",
        "storage": {"filesystem": {"rootdirectory": str(folder / "data")}},
        "http": {"addr": f"127.0.0.1:{port}"},
    }
    (folder / "config.yml").write_text(yaml.safe_dump(settings))

    def responds() -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/v2/", timeout=2) as response:
                return bool(response.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    command = (str(program("registry")), "serve", str(folder / "config.yml"))
    server = local.Server(command, {"OTEL_TRACES_EXPORTER": "none"}, folder / "registry.log", responds)
    server.start()
    try:
        yield Registry(f"127.0.0.1:{port}/mirror")
    finally:
        server.stop()


@pytest.fixture(scope="session")
def pushed(release: Release, registry: Registry) -> Registry:
    """The registry with what `make push` copies there."""
    release_command("push", registry.address, env=registry.options)
    assert release.folder.is_dir()
    return registry
