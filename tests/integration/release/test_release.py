"""Parts of a release that other programs read: signatures, checksums, the bundle, and load.sh."""

from __future__ import annotations

import os
import subprocess
import tarfile
from pathlib import Path

import pytest

from devcluster.errors import DevclusterError
from devcluster.images import baseimage
from devcluster.product import ROOT
from devcluster.progress import Progress
from release import build
from release.__main__ import main

LOAD = ROOT / "release/load.sh"


def run(*command: str | Path, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=cwd, env={**os.environ, **environment}, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A release without images."""
    found = tmp_path / "tts-operator-0.1.0"
    (found / "images").mkdir(parents=True)
    (found / "install.yaml").write_text("a: b\n")
    (found / "load.sh").write_bytes(LOAD.read_bytes())
    (found / "load.sh").chmod(0o755)
    (found / "images.txt").write_text("images/a.oci.tar ghcr.io/tts-operator/a:v0.1.0\n")
    build.write_sums(found)
    return found


def test_openssl_verifies_the_signature(folder: Path, tmp_path: Path) -> None:
    key = tmp_path / "key.pem"
    assert (
        run("openssl", "ecparam", "-genkey", "-name", "prime256v1", "-noout", "-out", key, cwd=tmp_path).returncode == 0
    )
    build.sign(folder / build.SUMS, key)
    assert (
        run(
            "openssl", "base64", "-d", "-A", "-in", f"{build.SUMS}.sig", "-out", tmp_path / "raw", cwd=folder
        ).returncode
        == 0
    )
    verify = ("openssl", "dgst", "-sha256", "-verify", "signing-key.pub", "-signature", tmp_path / "raw", build.SUMS)
    assert "Verified OK" in run(*verify, cwd=folder).stdout
    assert "PRIVATE" not in (folder / "signing-key.pub").read_text()
    (folder / build.SUMS).write_text("0  a\n")
    assert run(*verify, cwd=folder).returncode != 0


def test_sha256sum_finds_a_changed_file(folder: Path) -> None:
    check = ("sha256sum", "--check", "--strict", build.SUMS)
    assert run(*check, cwd=folder).returncode == 0
    (folder / "install.yaml").write_text("a: c\n")
    assert run(*check, cwd=folder).returncode != 0


def test_the_bundle_has_all_files(folder: Path) -> None:
    bundle = build.bundle(folder, Progress())
    with tarfile.open(bundle) as tar:
        assert {"tts-operator-0.1.0/images.txt", "tts-operator-0.1.0/SHA256SUMS"} <= set(tar.getnames())
    with pytest.raises(DevclusterError, match="run `make release` first"):
        build.bundle(folder / "images", Progress())


@pytest.mark.parametrize(
    "words, told",
    [
        ((), "write ./load.sh REGISTRY"),
        (("--podman",), "--podman: unknown option"),
        (("registry.example.com",), "skopeo is missing: install it"),
        (("--containerd",), "ctr is missing: install it"),
    ],
)
def test_load_says_what_it_lacks(folder: Path, tmp_path: Path, words: tuple[str, ...], told: str) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("sh", "dirname"):
        (programs / name).symlink_to(Path("/bin") / name)
    done = run("./load.sh", *words, cwd=folder, PATH=str(programs))
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert told in line


def test_an_architecture_that_this_machine_cannot_run_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    baseimage.check_emulator(baseimage.host_architecture())
    monkeypatch.setattr(baseimage, "EMULATORS", tmp_path)
    other = next(each for each in baseimage.MACHINES if each != baseimage.host_architecture())
    with pytest.raises(DevclusterError, match="apt-get install qemu-user-static"):
        baseimage.check_emulator(other)
    with pytest.raises(DevclusterError, match="write amd64 or arm64"):
        baseimage.check_emulator("sparc")


def test_the_command_says_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--snapshot", "build", "--key", "no/such/key.pem"]) == 1
    captured = capsys.readouterr()
    assert "openssl ecparam" in captured.out + captured.err
