"""The images of a release, for several architectures: built with Docker where it runs, else with buildah."""

from __future__ import annotations

import os
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from devcluster.errors import DevclusterError
from devcluster.host import shell
from devcluster.images import baseimage, builder
from devcluster.product import OPERATOR, ROOT, SERVER, Image
from devcluster.progress import Progress
from devcluster.provider import mirrors

IMAGES = (OPERATOR, SERVER)
BUILD_TIMEOUT = 3 * 3600.0
"""Seconds. Emulating another architecture takes ten times as long."""


@dataclass(frozen=True)
class Built:
    """An image in dist/."""

    image: Image
    archive: Path
    """OCI archive with all architectures."""
    digest: str
    """Of the index of all architectures."""


def short_name(image: Image) -> str:
    """Return the last part of the image's name, such as `tts-server`."""
    return image.name.rsplit("/", 1)[-1]


def build(tag: str, architectures: Sequence[str], target: Path, progress: Progress) -> list[Built]:
    """Build all images with a tag into the folder `target`."""
    docker = _use_docker(os.environ)
    if not docker:
        for each in architectures:
            baseimage.check_emulator(each)
    target.mkdir(parents=True, exist_ok=True)
    found = []
    for image in IMAGES:
        archive = target / f"{short_name(image)}-{tag}.oci.tar"
        (_with_docker if docker else _with_buildah)(image, tag, architectures, archive, progress)
        found.append(Built(image, archive, builder.manifest_digest(archive)))
    return found


def base_packages(architecture: str, progress: Progress) -> str:
    """Return /var/lib/dpkg/status of the base image; empty if it is not built here."""
    if _use_docker(os.environ):
        return ""
    with tarfile.open(baseimage.ensure(progress, architecture)) as tar:
        member = tar.extractfile("./var/lib/dpkg/status")
        return "" if member is None else member.read().decode()


def _use_docker(environ: Mapping[str, str]) -> bool:
    choice = environ.get("BUILDER", "")
    if choice not in ("", "docker", "buildah"):
        raise DevclusterError(f"BUILDER={choice}: write docker or buildah")
    return choice == "docker" or (not choice and shell.succeeds(["docker", "buildx", "inspect"]))


def _with_docker(image: Image, tag: str, architectures: Sequence[str], archive: Path, progress: Progress) -> None:
    platforms = ",".join(f"linux/{each}" for each in architectures)
    arguments = [f"--build-arg={key}={value}" for key, value in mirrors().items()]
    with progress.step(f"docker buildx build {image.name}:{tag} for {platforms}"):
        shell.run(
            ["docker", "buildx", "build", f"--platform={platforms}", f"--file={ROOT / image.sources[0]}", *arguments,
             f"--tag={image.name}:{tag}", f"--output=type=oci,dest={archive}", ROOT],
            timeout=BUILD_TIMEOUT,
        )  # fmt: skip


def _with_buildah(image: Image, tag: str, architectures: Sequence[str], archive: Path, progress: Progress) -> None:
    parts = []
    for each in architectures:
        parts.append(f"localhost/release/{short_name(image)}:{tag}-{each}")
        foreign = None if each == baseimage.host_architecture() else each
        builder.build(ROOT / image.sources[0], parts[-1], {}, ROOT, progress, architecture=foreign)
    with progress.step(f"archive {image.name}:{tag} for {', '.join(architectures)}"):
        builder.index(f"{image.name}:{tag}", parts, archive)
