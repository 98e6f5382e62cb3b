"""Images that pages name and no registry offers here, made of this machine's own programs and their libraries."""

from __future__ import annotations

import hashlib
import io
import json
import platform
import re
import shutil
import subprocess
import tarfile
from collections.abc import Sequence
from pathlib import Path

from devcluster.host import debian
from devcluster.host.debian import Requirement
from devcluster.images import containerd
from devcluster.layout import Node
from devcluster.progress import Progress

IMAGES = {
    "docker.io/curlimages/curl:latest": ("sh", "curl"),
    "docker.io/library/redis:7-alpine": ("redis-server",),
}
"""The programs in each image."""
_PACKAGES = [Requirement("curl", "curl"), Requirement("redis-server", "redis-server")]
_LIBRARY = re.compile(r"(/\S+) \(0x")


def load(nodes: Sequence[Node], folder: Path) -> None:
    """Import them into these nodes."""
    debian.ensure(_PACKAGES, Progress())
    for tag, programs in IMAGES.items():
        archive = folder / f"{hashlib.sha256(tag.encode()).hexdigest()[:8]}.tar"
        archive.write_bytes(_image(programs, tag))
        for node in nodes:
            containerd.ctr(node, "images", "import", archive, timeout=120)


def _image(programs: Sequence[str], tag: str) -> bytes:
    """A Docker archive of an image with these programs in /bin."""
    files = {}
    for name in programs:
        program = shutil.which(name)
        assert program is not None, name
        files[f"bin/{name}"] = Path(program)
        files |= {str(path).lstrip("/"): path for path in _libraries(program)}
    layer = _tar({name: path.read_bytes() for name, path in files.items()})
    config = json.dumps(
        {
            "architecture": {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine()),
            "os": "linux",
            "config": {"Env": ["PATH=/bin"]},
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
        }
    ).encode()
    manifest = json.dumps([{"Config": "config.json", "RepoTags": [tag], "Layers": ["layer.tar"]}]).encode()
    return _tar({"config.json": config, "layer.tar": layer, "manifest.json": manifest})


def _libraries(program: str) -> list[Path]:
    """The shared libraries of a program, and what loads them."""
    said = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
    return [Path(found) for found in _LIBRARY.findall(said)]


def _tar(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), 0o755
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()
