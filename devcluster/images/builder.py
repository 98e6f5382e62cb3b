"""Build an image from a Dockerfile into an archive in the cache, without Docker and without a registry."""

from __future__ import annotations

import configparser
import hashlib
import json
import os
import subprocess
import tarfile
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from devcluster.errors import DevclusterError
from devcluster.host import debian, filelock, shell, storage
from devcluster.images import baseimage
from devcluster.layout import RUN_ROOT, cache_home
from devcluster.progress import Progress

CA_VARIABLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "PIP_CERT", "CURL_CA_BUNDLE")
IMAGE_CA = "/etc/ssl/certs/ca-certificates.crt"
# Only settings for access to an index: pip's other behaviour is up to the Dockerfile.
PIP_KEYS = (
    "index-url",
    "extra-index-url",
    "find-links",
    "no-index",
    "trusted-host",
    "proxy",
    "timeout",
    "default-timeout",
    "retries",
)


@dataclass(frozen=True)
class Archive:
    """An image archive."""

    path: Path
    digest: str
    """The digest of its manifest, which identifies it in containerd."""


def archive_path(tag: str) -> Path:
    """Return the path of an image's archive."""
    return cache_home() / "images" / f"{tag.replace('/', '_').replace(':', '_')}.oci.tar"


def find(tag: str) -> Archive:
    """Return the archive of a built image. Raises DevclusterError if it has not been built."""
    path = archive_path(tag)
    record = _read_record(path)
    if record is None:
        raise DevclusterError(f"image {tag} has not been built; run: python -m devcluster build-image DOCKERFILE {tag}")
    return Archive(path, record["digest"])


def build(
    dockerfile: Path,
    tag: str,
    arguments: Mapping[str, str],
    context: Path,
    progress: Progress,
    *,
    architecture: str | None = None,
) -> Archive:
    """Build an image. Return at once if none of its inputs has changed. The architecture defaults to the host's."""
    if not dockerfile.is_file():
        raise DevclusterError(f"{dockerfile}: no such Dockerfile")
    if os.geteuid() != 0:
        raise DevclusterError("building an image without Docker uses chroot: run as root, or use CLUSTER=kind")
    debian.ensure(debian.IMAGES, progress)
    with _lock(progress):
        base = baseimage.ensure(progress, architecture)
        path = archive_path(tag)
        known = _read_record(path)
        key = _fingerprint(dockerfile, arguments, context, base)
        if known and key is not None and known["key"] == key:
            progress.say(f"image {tag} is up to date")
            return Archive(path, known["digest"])
        arguments = {"PYTHON_IMAGE": _base_reference(base, architecture), **arguments}
        _build_with_buildah(dockerfile, tag, arguments, context, progress, architecture=architecture)
        built = _buildah("inspect", "--type", "image", "--format", "{{.FromImageID}}", tag).strip()
        if known and known["image"] == built:
            digest = known["digest"]  # the changes in the context do not affect the image
        else:
            with progress.step(f"archive image {tag}"):
                _record(path).unlink(missing_ok=True)
                path.unlink(missing_ok=True)
                _buildah("push", "--quiet", tag, f"oci-archive:{path}:{tag}", timeout=300)
            digest = manifest_digest(path)
        _record(path).write_text(json.dumps({"key": key, "image": built, "digest": digest}))
        return Archive(path, digest)


def index(tag: str, images: Iterable[str], archive: Path) -> None:
    """Write built images, of one architecture each, to an OCI archive under one tag, with which importers name it."""
    with _lock(None):
        name = f"localhost/index/{tag.rpartition('/')[2]}"
        subprocess.run([*_command(), "manifest", "rm", name], capture_output=True, check=False)
        _buildah("manifest", "create", name, *images)
        archive.unlink(missing_ok=True)
        _buildah(
            "manifest",
            "push",
            "--all",
            "--quiet",
            "--rm",
            name,
            f"oci-archive:{archive}:{tag}",
            timeout=600,
        )


def _lock(progress: Progress | None) -> AbstractContextManager[None]:
    """Concurrent builds would share buildah's store."""
    return filelock.held(
        cache_home() / "images" / ".lock",
        timeout=1800,
        holder="another devcluster command is building an image",
        progress=progress,
    )


def manifest_digest(archive: Path) -> str:
    """Return the digest of the only manifest in an OCI archive."""
    with tarfile.open(archive) as tar:
        index = tar.extractfile("index.json")
        if index is None:
            raise DevclusterError(f"{archive} is not an OCI archive")
        return str(json.load(index)["manifests"][0]["digest"])


def pip_settings(environ: Mapping[str, str], files: list[str]) -> dict[str, str]:
    """Return pip's settings for access to an index, from its configuration files' content and the environment."""
    found: dict[str, str] = {}
    for text in files:
        parser = configparser.RawConfigParser()
        parser.read_string(text)
        for section in ("global", "install"):
            if parser.has_section(section):
                found.update({key.replace("_", "-"): value for key, value in parser.items(section)})
    for name, value in environ.items():
        if name.startswith("PIP_"):
            found[name.removeprefix("PIP_").lower().replace("_", "-")] = value
    return {key: found[key] for key in PIP_KEYS if found.get(key)}


def _build_with_buildah(
    dockerfile: Path,
    tag: str,
    arguments: Mapping[str, str],
    context: Path,
    progress: Progress,
    *,
    architecture: str | None,
) -> None:
    what = f"build image {tag}"
    with progress.step(what), tempfile.TemporaryDirectory(prefix="devcluster-build-") as scratch:
        # Volumes are mounted during RUN steps and do not become part of a layer.
        volumes = [word for source, target in _volumes(Path(scratch)) for word in ("-v", f"{source}:{target}:ro")]
        shell.run_logged(
            [
                *_command(),
                "bud",
                "--isolation",
                "chroot",
                "--layers",
                "--pull=never",
                *([f"--platform=linux/{architecture}"] if architecture else []),
                "--format",
                "oci",
                *(f"--build-arg={key}={value}" for key, value in sorted(arguments.items())),
                *volumes,
                "-f",
                dockerfile.resolve(),
                "-t",
                tag,
                context.resolve(),
            ],
            log=archive_path(tag).with_suffix(".log"),
            what=what,
            progress=progress,
            timeout=3600,
        )


def _volumes(scratch: Path) -> Iterator[tuple[Path, str]]:
    """Yield the host files, with their mount points, that give a build access to a package index."""
    bundle = next((Path(os.environ[name]) for name in CA_VARIABLES if os.environ.get(name)), None)
    settings = pip_settings(os.environ, _pip_files())
    if bundle and bundle.is_file():
        yield bundle.resolve(), IMAGE_CA
        settings["cert"] = IMAGE_CA
    if settings:
        config = scratch / "pip.conf"
        lines = [f"{key} = " + "\n    ".join(value.split()) for key, value in settings.items()]
        config.write_text("[global]\n" + "\n".join(lines) + "\n")
        yield config, "/etc/pip.conf"
        for word in settings.get("find-links", "").split():
            if Path(word).is_dir():
                yield Path(word), word


def _pip_files() -> list[str]:
    paths = [Path("/etc/pip.conf"), Path.home() / ".pip" / "pip.conf", Path.home() / ".config" / "pip" / "pip.conf"]
    if os.environ.get("PIP_CONFIG_FILE"):
        paths.append(Path(os.environ["PIP_CONFIG_FILE"]))
    return [path.read_text() for path in paths if path.is_file()]


def _base_reference(base: Path, architecture: str | None) -> str:
    """Return the name of the base image in buildah's store. The first call imports it."""
    name = f"localhost/devcluster/{base.stem}:latest"
    if subprocess.run([*_command(), "inspect", "--type", "image", name], capture_output=True, check=False).returncode:
        container = _buildah("from", "scratch").strip()
        _buildah("add", "--quiet", container, str(base), "/", timeout=300)
        _buildah(
            "config",
            *(["--arch", architecture] if architecture else []),
            "--cmd",
            "python3",
            "--env",
            "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "--env",
            "LANG=C.UTF-8",
            container,
        )
        _buildah("commit", "--quiet", "--rm", container, name, timeout=300)
    return name


def _fingerprint(dockerfile: Path, arguments: Mapping[str, str], context: Path, base: Path) -> str | None:
    """Return a hash of all inputs of the image. None if they are unknown, because the context is not in git."""
    listed = subprocess.run(
        ["git", "-C", str(context), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        capture_output=True,
        check=False,
    )
    if listed.returncode:
        return None
    digest = hashlib.sha256(repr((base.name, sorted(arguments.items()))).encode() + dockerfile.read_bytes())
    for name in sorted(set(listed.stdout.split(b"\0")) - {b""}):
        path = context / os.fsdecode(name)
        if path.is_file():
            digest.update(name + b"\0" + str(path.stat().st_mode & 0o111).encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _read_record(archive: Path) -> dict[str, str] | None:
    """Return an archive's record: the hash of its inputs, buildah's ID of the image, its digest. None if incomplete."""
    try:
        data: dict[str, str] = json.loads(_record(archive).read_text())
    except (FileNotFoundError, ValueError):
        return None
    return data if archive.exists() and data.keys() >= {"key", "image", "digest"} else None


def _record(archive: Path) -> Path:
    return archive.with_suffix(".json")


def _command() -> list[str]:
    root = cache_home() / "containers"
    run = RUN_ROOT / f"buildah-{hashlib.sha256(bytes(root)).hexdigest()[:8]}"
    driver = "vfs" if storage.on_overlay(root) else "overlay"
    return ["buildah", f"--root={root}", f"--runroot={run}", f"--storage-driver={driver}"]


def _buildah(*words: str, timeout: float = 60) -> str:
    return shell.run([*_command(), *words], timeout=timeout).stdout
