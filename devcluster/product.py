"""Build this checkout's images and install its operator on a cluster: `python -m devcluster.product --help`."""

from __future__ import annotations

import argparse
import functools
import hashlib
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from devcluster import binaries
from devcluster.errors import DevclusterError
from devcluster.host import shell
from devcluster.progress import Progress
from devcluster.provider import Devcluster, Existing, Provider, choose

ROOT = Path(__file__).resolve().parent.parent
NAMESPACE = "tts-operator-system"


@dataclass(frozen=True)
class Image:
    """An image that this repository builds."""

    name: str
    """The repository in install.yaml, without a tag."""
    sources: tuple[str, ...]
    """Paths of the image's sources, relative to the repository root; the Dockerfile comes first."""

    @functools.cache  # noqa: B019 - two images; a file that is saved while this runs must not change the tag
    def reference(self, registry: str | None) -> str:
        """Return the image reference. Its tag is a hash of the sources, so that a change produces a new tag."""
        digest = hashlib.sha256()
        for file in sorted(path for source in self.sources for path in _files(ROOT / source)):
            digest.update(f"{file.relative_to(ROOT)}\0".encode() + file.read_bytes() + b"\0")
        name = f"{registry.rstrip('/')}/{self.name.rsplit('/', 1)[-1]}" if registry else self.name
        return f"{name}:dev-{digest.hexdigest()[:12]}"


OPERATOR = Image(
    "ghcr.io/tts-operator/tts-operator", ("Dockerfile.operator", "requirements/operator.lock", "operator/tts_operator")
)
SERVER = Image(
    "ghcr.io/tts-operator/tts-server", ("Dockerfile.server", "requirements/server.lock", "tts_server", "pyproject.toml")
)


@dataclass(frozen=True)
class Product:
    """The operator and its images, on one cluster."""

    provider: Provider
    progress: Progress

    def kubectl(self, *arguments: str, stdin: str | None = None, timeout: float = 60, check: bool = True) -> str:
        """Run kubectl against the cluster and return its output."""
        return shell.run(self.kubectl_command(*arguments), stdin=stdin, timeout=timeout, check=check).stdout

    def kubectl_command(self, *arguments: str) -> list[str]:
        """Return the kubectl command line for the cluster."""
        program = "kubectl"
        if isinstance(self.provider, Devcluster):
            binaries.ensure(["kubectl"], self.progress)
            program = str(binaries.path_of("kubectl"))
        return [program, f"--kubeconfig={self.provider.kubeconfig()}", *arguments]

    def reference(self, image: Image) -> str:
        """Return the reference by which the cluster pulls an image of this checkout."""
        registry = os.environ.get("REGISTRY") if isinstance(self.provider, Existing) else None
        return image.reference(registry)

    def build(self) -> None:
        """Build both images. Unchanged images are not rebuilt."""
        for image in (OPERATOR, SERVER):
            self.provider.build_image(ROOT / image.sources[0], self.reference(image), {}, ROOT)

    def load(self) -> None:
        """Load both images into the cluster's nodes."""
        for image in (OPERATOR, SERVER):
            self.provider.load_image(self.reference(image))

    def install(self) -> None:
        """Apply install.yaml with this checkout's images, and wait for the operator's rollout."""
        manifest = (ROOT / "install.yaml").read_text()
        if not isinstance(self.provider, Existing) or os.environ.get("REGISTRY"):
            self.build()
            self.load()
            for image in (OPERATOR, SERVER):
                manifest = _with_image(manifest, image.name, self.reference(image))
        with self.progress.step("install the operator"):
            self.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=manifest)
            self.kubectl("wait", "--for=condition=Established", "crd/ttsservices.tts-operator.io", "--timeout=30s")
            self.kubectl("-n", NAMESPACE, "rollout", "status", "deployment/tts-operator", "--timeout=120s", timeout=150)

    def uninstall(self) -> None:
        """Remove the operator and the CRD, and with it every TTSService."""
        with self.progress.step("uninstall the operator"):
            self.kubectl(
                "delete", "--ignore-not-found", "-f", str(ROOT / "install.yaml"), "--timeout=120s", timeout=150
            )


def _with_image(manifest: str, name: str, reference: str) -> str:
    """Replace an image in the manifest, and in the admission policy, which matches it by a regular expression."""
    allowed, repository = (each.replace(".", r"\\.") for each in (name, reference.rpartition(":")[0]))
    manifest = manifest.replace(f"(?s:{allowed})", f"(?s:{repository})")
    lines = [
        f'{line[: line.index(name)]}{reference}"' if f'"{name}:' in line else line for line in manifest.splitlines()
    ]
    return "\n".join(lines) + "\n"


def _files(source: Path) -> list[Path]:
    if source.is_file():
        return [source]
    return [path for path in source.rglob("*") if path.is_file() and "__pycache__" not in path.parts]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m devcluster.product",
        description="Build this checkout's images and install its operator on a cluster.",
    )
    parser.add_argument("--name", default="dev", help="cluster name (default: dev)")
    parser.add_argument("command", choices=("build", "install", "uninstall"))
    arguments = parser.parse_args(argv)
    progress = Progress()
    try:
        product = Product(choose(arguments.name, progress), progress)
        getattr(product, arguments.command)()
    except DevclusterError as error:
        progress.say(f"error: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
