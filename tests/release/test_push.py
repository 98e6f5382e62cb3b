"""A release is what it says: signed, the same in the registry as on disk, able to speak, and installed from there."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from devcluster.demo import measure
from devcluster.host import storage
from devcluster.product import Product
from tests.release.released import ARCHITECTURES, Image, Registry, Release, program, run

TEXT = "你好，这是发布前的检查。"
PORT = 7869
SPEAK_SECONDS = 1200
"""Under emulation, loading the model takes minutes."""
ASK = """
import json, sys, urllib.request
body = json.dumps({"model": "fastspeech2", "input": sys.argv[2], "response_format": "wav"}).encode()
request = urllib.request.Request(sys.argv[1] + "/v1/audio/speech", body, {"Content-Type": "application/json"})
print(urllib.request.urlopen(request, timeout=600).read().hex())
"""
SERVE = f"""
export TTS_PORT={PORT} TTS_REQUEST_TIMEOUT_SECONDS=600 TTS_QUEUE_SECONDS=600
tts-server serve >&2 & server=$!
until python3 -c "import urllib.request as u; u.urlopen('http://127.0.0.1:{PORT}/ready', timeout=30)" 2>/dev/null
do kill -0 $server || exit 1; sleep 1; done
python3 -c "$0" http://127.0.0.1:{PORT} "$1"; status=$?
kill $server; wait $server; exit $status
"""
"""Runs in a container: the server, and one request. Emulation must not make it exceed a limit."""


@pytest.fixture(scope="module")
def buildah(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    """buildah, with a store of its own, so that nothing but the registry can provide an image."""
    folder = tmp_path_factory.mktemp("store")
    driver = "vfs" if storage.on_overlay(folder) else "overlay"
    command = ["buildah", f"--root={folder / 'root'}", f"--runroot={folder / 'run'}", f"--storage-driver={driver}"]
    yield command
    run(*command, "rm", "--all")
    run(*command, "rmi", "--all", "--force", timeout=300)


@pytest.fixture(params=ARCHITECTURES)
def architecture(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    return found


def pulled(buildah: list[str], registry: Registry, image: Image, architecture: str) -> list[str]:
    """Pull an image, and return the command that runs a program in it as the user of its Dockerfile."""
    reference = f"docker://{registry.address}/{image.name}:{image.tag}"
    container = run(*buildah, "from", "--tls-verify=false", f"--arch={architecture}", reference, timeout=600).stdout
    return [*buildah, "run", "--isolation=chroot", container.strip(), "--"]


def test_the_documented_commands_verify_checksums_and_signature(release: Release) -> None:
    verify = (
        "base64 -d SHA256SUMS.sig > ../signature && "
        "openssl dgst -sha256 -verify signing-key.pub -signature ../signature SHA256SUMS && "
        "sha256sum --check --strict --quiet SHA256SUMS"
    )
    assert run("sh", "-c", verify, cwd=release.folder).stdout == "Verified OK\n"
    listed = {line.split("  ", 1)[1] for line in (release.folder / "SHA256SUMS").read_text().splitlines()}
    there = {str(path.relative_to(release.folder)) for path in release.folder.rglob("*") if path.is_file()}
    assert there - listed == {"SHA256SUMS", "SHA256SUMS.sig", "signing-key.pub"}


def test_the_registry_has_each_image_by_the_digest_of_the_release(release: Release, pushed: Registry) -> None:
    for image in release.images():
        reference = f"docker://{pushed.address}/{image.name}:{image.tag}"
        raw = run("skopeo", "inspect", "--raw", "--tls-verify=false", reference).stdout
        assert f"sha256:{hashlib.sha256(raw.encode()).hexdigest()}" == image.digest
        platforms = [
            (each["platform"]["os"], each["platform"]["architecture"]) for each in json.loads(raw)["manifests"]
        ]
        assert sorted(platforms) == sorted(("linux", each) for each in ARCHITECTURES)


@pytest.mark.timeout(SPEAK_SECONDS + 900)
def test_the_server_that_is_pulled_speaks(
    release: Release, pushed: Registry, buildah: list[str], architecture: str
) -> None:
    """On another architecture than this machine's, QEMU emulates it."""
    command = pulled(buildah, pushed, release.images()[1], architecture)
    said = run(*command, "sh", "-c", SERVE, ASK, TEXT, timeout=SPEAK_SECONDS).stdout
    sound = measure(bytes.fromhex(said.strip()))
    assert 1 < sound.seconds < 6
    assert sound.rms > 0.01


@pytest.mark.timeout(900)
def test_the_operator_that_is_pulled_runs(
    release: Release, pushed: Registry, buildah: list[str], architecture: str
) -> None:
    command = pulled(buildah, pushed, release.images()[0], architecture)
    version = run(*command, "python", "-m", "tts_operator", "--version", timeout=300).stdout
    assert version.strip() == release.version.removesuffix("-snapshot")


def test_helm_installs_the_chart_from_the_registry(
    release: Release, pushed: Registry, control_plane: Product, tmp_path: Path
) -> None:
    """A dry run on a real API server, which checks each object."""
    chart = f"oci://{pushed.address}/charts/tts-operator"
    options = (
        f"--version={release.version}", "--plain-http", "--dry-run=server", "--namespace=default", "--output=json",
        f"--set=global.imageRegistry={pushed.address}", f"--values={release.folder / 'values-digests.yaml'}",
        "--set=crds.install=false", f"--kubeconfig={control_plane.provider.kubeconfig()}",
    )  # fmt: skip
    homes = {f"HELM_{each}_HOME": str(tmp_path) for each in ("CACHE", "CONFIG", "DATA")}
    installed = json.loads(run(program("helm"), "install", "from-the-registry", chart, *options, env=homes).stdout)
    objects = [each for each in yaml.safe_load_all(installed["manifest"]) if each]
    (deployment,) = (each for each in objects if each["kind"] == "Deployment")
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    server = next(each["value"] for each in container["env"] if each["name"] == "TTS_OPERATOR_SERVER_IMAGE")
    wanted = [f"{pushed.address}/{image.name}@{image.digest}" for image in release.images()]
    assert [container["image"], server] == wanted
