"""The bundle for a network without a registry, and both ways to bring it into a cluster."""

from __future__ import annotations

import os
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from devcluster.backends import local
from devcluster.host import shell
from tests.release.released import Registry, Release, program, release_command, run


@pytest.fixture(scope="module")
def unpacked(release: Release, tmp_path_factory: pytest.TempPathFactory) -> Release:
    """The bundle on the other side, after its checksums were compared."""
    release_command("airgap")
    folder = tmp_path_factory.mktemp("airgap")
    with tarfile.open(release.folder.with_name(f"{release.folder.name}-airgap.tar")) as bundle:
        bundle.extractall(folder, filter="data")
    there = Release(folder / release.folder.name, release.version)
    run("sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS", cwd=there.folder)
    return there


@pytest.fixture
def containerd() -> Iterator[tuple[str, ...]]:
    """containerd without a cluster; the command that asks it."""
    binary = program("containerd")
    with tempfile.TemporaryDirectory(prefix="tts-containerd-") as scratch:
        folder = Path(scratch)
        settings = folder / "config.toml"
        settings.write_text(
            f'version = 3\nroot = "{folder / "root"}"\nstate = "{folder / "state"}"\n'
            f'disabled_plugins = ["io.containerd.cri.v1.runtime", "io.containerd.cri.v1.images"]\n'
            f'[grpc]\naddress = "{folder / "socket"}"\n'
        )
        ask = (str(program("ctr")), f"--address={folder / 'socket'}", "--namespace=k8s.io")
        server = local.Server(
            (str(binary), f"--config={settings}"), {}, folder / "log", lambda: shell.succeeds([*ask, "version"])
        )
        server.start()
        try:
            yield ask
        finally:
            server.stop()


@pytest.mark.timeout(600)
def test_load_pushes_it_to_a_registry(unpacked: Release, registry: Registry) -> None:
    target = f"{registry.address}/inside"
    path = f"{program('helm').parent}{os.pathsep}{os.environ['PATH']}"
    run("./load.sh", target, cwd=unpacked.folder, timeout=500, env={"PATH": path, **registry.options})
    for image in unpacked.images():
        found = run("skopeo", "inspect", "--tls-verify=false", f"docker://{target}/{image.name}@{image.digest}").stdout
        assert image.digest in found
    chart = f"oci://{target}/charts/tts-operator"
    found = run(program("helm"), "show", "chart", chart, f"--version={unpacked.version}", "--plain-http").stdout
    assert f"version: {unpacked.version}\n" in found


@pytest.mark.timeout(600)
def test_load_imports_it_into_containerd(unpacked: Release, containerd: tuple[str, ...]) -> None:
    """By tag, as install.yaml names the images, and by digest, as values-digests.yaml does."""
    address = next(word.partition("=")[2] for word in containerd if word.startswith("--address="))
    path = f"{program('ctr').parent}{os.pathsep}{os.environ['PATH']}"
    run(
        "./load.sh", "--containerd", cwd=unpacked.folder, timeout=500, env={"PATH": path, "CONTAINERD_ADDRESS": address}
    )
    listed = [line.split() for line in run(*containerd, "images", "list").stdout.splitlines()[1:]]
    targets = {fields[0]: next(field for field in fields if field.startswith("sha256:")) for fields in listed}
    for image in unpacked.images():
        name = f"ghcr.io/{image.name}"
        assert targets[f"{name}:{image.tag}"] == targets[f"{name}@{image.digest}"] == image.digest
    assert not [name for name in targets if name.startswith("import-")]
