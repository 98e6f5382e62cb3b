"""What `make release` writes to dist/."""

from __future__ import annotations

import datetime
import hashlib
import json
import os
import shutil
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from devcluster import binaries
from devcluster.errors import DevclusterError
from devcluster.host import shell
from devcluster.product import ROOT
from devcluster.progress import Progress
from release import chart_archive, images, olm, sbom, version

CHART = ROOT / "charts/tts-operator"
LOCKS = {"tts-operator": "requirements/operator.lock", "tts-server": "requirements/server.lock"}
"""The lock of each image."""
EXAMPLES = ("examples/quickstart.yaml", "examples/canary.yaml")
"""What the bundle for OLM offers as templates."""
SUMS = "SHA256SUMS"


@dataclass(frozen=True, kw_only=True)
class Release:
    """A release to build."""

    version: str
    notes: str
    architectures: Sequence[str]
    target: Path
    """Its folder in dist/, which is replaced."""
    progress: Progress

    @property
    def tag(self) -> str:
        """The tag of the images."""
        return f"v{self.version}"

    @property
    def _packaged(self) -> Path:
        return self.target / f"tts-operator-{self.version}.tgz"

    def build(self, key: Path | None) -> None:
        """Write all files. `key` signs the checksums."""
        if self.target.exists():
            shutil.rmtree(self.target)
        self.target.mkdir(parents=True)
        built = images.build(self.tag, self.architectures, self.target / "images", self.progress)
        with self.progress.step(f"write {_short(self.target)}"):
            self._chart()
            self._manifests(built)
            self._olm()
            self._bills()
            (self.target / "RELEASE_NOTES.md").write_text(self.notes)
            write_sums(self.target)
        if key is not None:
            sign(self.target / SUMS, key)

    def _chart(self) -> None:
        about = yaml.safe_load((CHART / "Chart.yaml").read_text())
        about.update(version=self.version, appVersion=self.tag)
        shell.run(
            [helm(self.progress), "package", CHART, f"--version={self.version}", f"--app-version={self.tag}",
             f"--destination={self.target}"]
        )  # fmt: skip
        target = self.target / f"tts-operator-{self.version}.chart.oci.tar"
        chart_archive.write(self._packaged.read_bytes(), about, target)

    def _manifests(self, built: Sequence[images.Built]) -> None:
        manifest = (ROOT / "install.yaml").read_text()
        current = yaml.safe_load((CHART / "Chart.yaml").read_text())["appVersion"]
        for each in built:
            manifest = manifest.replace(f"{each.image.name}:{current}", f"{each.image.name}:{self.tag}")
        (self.target / "install.yaml").write_text(manifest)
        shutil.copy(ROOT / "crds/tts-operator.io_ttsservices.yaml", self.target / "crd.yaml")
        lines = [f"images/{each.archive.name} {each.image.name}:{self.tag}\n" for each in built]
        (self.target / "images.txt").write_text("".join(lines))
        digests = {images.short_name(each.image): each.digest for each in built}
        values = {"image": {"digest": digests["tts-operator"]}, "serverImage": {"digest": digests["tts-server"]}}
        head = "# The chart's values for exactly these images: helm install ... --values values-digests.yaml\n"
        (self.target / "values-digests.yaml").write_text(head + yaml.safe_dump(values, sort_keys=False))
        shutil.copy(ROOT / "release/load.sh", self.target)

    def _olm(self) -> None:
        values = [f"--values={self.target / 'values-digests.yaml'}", *(f"--set={each}" for each in olm.SETTINGS)]
        # As charts/render has it. helm's own default is a version that the chart refuses.
        cluster = ["--kube-version=1.36.0", "--api-versions=apps/v1"]
        rendered = shell.run(
            [helm(self.progress), "template", olm.PACKAGE, self._packaged, f"--namespace={olm.NAMESPACE}",
             *cluster, *values]
        )  # fmt: skip
        about = olm.About(
            version=self.version,
            chart=yaml.safe_load((CHART / "Chart.yaml").read_text()),
            examples=[yaml.safe_load((ROOT / each).read_text()) for each in EXAMPLES],
            icon=(ROOT / "docs/images/icon.svg").read_bytes(),
            created=_time(),
            architectures=self.architectures,
        )
        crd = (ROOT / "crds/tts-operator.io_ttsservices.yaml").read_text()
        for path, content in olm.files(yaml.safe_load_all(rendered.stdout), crd, about).items():
            file = self.target / "olm" / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(content)

    def _bills(self) -> None:
        folder = self.target / "sbom"
        folder.mkdir()
        time = _time()
        for name, lock in LOCKS.items():
            packages = list(sbom.packages((ROOT / lock).read_text()))
            for architecture in self.architectures:
                base = sbom.debian_packages(images.base_packages(architecture, self.progress))
                bill = sbom.document(name, self.tag, [*packages, *base], time=time)
                (folder / f"{name}-{self.tag}-{architecture}.cdx.json").write_text(json.dumps(bill, indent=1) + "\n")


def plan(architectures: Sequence[str], *, snapshot: bool, progress: Progress) -> Release:
    """Return the release of this checkout. Raises VersionError if a version or the changelog is not ready."""
    declared = version.declared((ROOT / "operator/tts_operator/__init__.py").read_text())
    version.check_chart(declared, (CHART / "Chart.yaml").read_text())
    changelog = (ROOT / "CHANGELOG.md").read_text()
    notes = version.notes("Unreleased" if snapshot else declared, changelog)
    full = f"{declared}-snapshot" if snapshot else declared
    target = ROOT / "dist" / f"tts-operator-{full}"
    return Release(version=full, notes=notes, architectures=architectures, target=target, progress=progress)


def bundle(folder: Path, progress: Progress) -> Path:
    """Put a built release into one file, for networks without a registry. Return its path."""
    if not (folder / SUMS).exists():
        raise DevclusterError(f"{_short(folder)} is not built: run `make release` first")
    target = folder.parent / f"{folder.name}-airgap.tar"
    with progress.step(f"write {_short(target)}"), tarfile.open(target, "w") as tar:
        tar.add(folder, folder.name)
    return target


def sign(file: Path, key: Path) -> None:
    """Write FILE.sig: the signature in base64, as `cosign verify-blob` and openssl read it, and the public key.

    The key is an ECDSA key on P-256 in PEM: `openssl ecparam -genkey -name prime256v1 -noout -out key.pem`.
    """
    raw = file.with_suffix(".raw")
    try:
        shell.run(["openssl", "dgst", "-sha256", "-sign", key, "-out", raw, file])
        shell.run(["openssl", "base64", "-A", "-in", raw, "-out", f"{file}.sig"])
        shell.run(["openssl", "pkey", "-in", key, "-pubout", "-out", file.with_name("signing-key.pub")])
    finally:
        raw.unlink(missing_ok=True)


def write_sums(folder: Path) -> None:
    """Write SHA256SUMS, which `sha256sum --check` reads, for all files of a folder."""
    lines = [f"{_sha256(path)}  {path.relative_to(folder)}\n" for path in sorted(folder.rglob("*")) if path.is_file()]
    (folder / SUMS).write_text("".join(lines))


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _time() -> str:
    """When the sources were made: SOURCE_DATE_EPOCH, else the time of the last commit."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH") or shell.run(["git", "-C", ROOT, "log", "-1", "--format=%ct"]).stdout
    return datetime.datetime.fromtimestamp(int(epoch), datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def helm(progress: Progress) -> Path:
    """Return the path of helm, compiled if it is missing."""
    binaries.ensure(["helm"], progress)
    return binaries.path_of("helm")


def _short(path: Path) -> str:
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)
