"""Images in the nodes' containerd: those of a single program, and images loaded from an archive."""

from __future__ import annotations

import hashlib
import io
import json
import platform
import tarfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from devcluster.binaries import path_of
from devcluster.errors import DevclusterError
from devcluster.host import shell
from devcluster.layout import Node, cache_home

PAUSE = "localhost/devcluster/pause:1"


def ctr(node: Node, *words: str | Path, timeout: float = 60, check: bool = True) -> str:
    """Run containerd's client `ctr` against a node and return its output."""
    done = shell.run(
        [path_of("ctr"), "--address", node.containerd_socket, "--namespace", "k8s.io", *words],
        timeout=timeout,
        check=check,
    )
    return done.stdout


def responds(node: Node) -> bool:
    """Whether the node's containerd responds."""
    return node.containerd_socket.exists() and shell.succeeds(
        [path_of("ctr"), "--address", node.containerd_socket, "--timeout", "5s", "version"]
    )


def ensure_pause(node: Node) -> None:
    """Import the pause image, whose container holds a pod's namespaces, unless the node has it."""
    _ensure_program(node, "pause", PAUSE)


def program_image(program: str) -> str:
    """Return the reference of the image that contains nothing but a program. Its tag follows the program's sources."""
    return f"localhost/devcluster/{program}:{path_of(program).parent.name}"


def ensure_program(nodes: Sequence[Node], program: str) -> None:
    """Import the image of a program into the nodes that lack it. The program must be compiled."""
    tag = program_image(program)
    _program_archive(program, tag)  # once, and not at the same time for each node
    with ThreadPoolExecutor(max(1, len(nodes))) as pool:
        for imported in [pool.submit(_ensure_program, node, program, tag) for node in nodes]:
            imported.result()


def load(archive: Path, tag: str, digest: str, nodes: tuple[Node, ...]) -> list[str]:
    """Import an archive into the nodes that lack `tag` at `digest`. Return the names of these nodes."""

    def import_into(node: Node) -> str | None:
        for line in ctr(node, "images", "list").splitlines()[1:]:
            fields = line.split()
            if fields[:1] == [tag] and digest in fields:
                return None
        ctr(node, "images", "import", archive, timeout=300)
        if tag not in ctr(node, "images", "list", "--quiet").split():
            raise DevclusterError(f"{node.name} imported {archive} but has no image {tag}")
        return node.name

    with ThreadPoolExecutor(max(1, len(nodes))) as pool:
        return [name for name in pool.map(import_into, nodes) if name]


def _ensure_program(node: Node, program: str, tag: str) -> None:
    archive = _program_archive(program, tag)
    if tag not in ctr(node, "images", "list", "--quiet").split():
        ctr(node, "images", "import", archive, timeout=300)


def _program_archive(name: str, tag: str) -> Path:
    program = path_of(name)
    target = cache_home() / "images" / f"{name}-{program.parent.name}.tar"
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        scratch = target.with_suffix(f".{id(target)}.new")
        scratch.write_bytes(single_file_image(program.read_bytes(), f"/{name}", tag))
        scratch.replace(target)
    return target


def single_file_image(program: bytes, path: str, tag: str) -> bytes:
    """Return a Docker archive of an image that contains one program and runs it."""
    layer = _tar({path.lstrip("/"): (program, 0o755)})
    config = json.dumps(
        {
            "architecture": _architecture(),
            "os": "linux",
            "config": {"Entrypoint": [path], "User": "65535:65535"},
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
        }
    ).encode()
    name = hashlib.sha256(config).hexdigest() + ".json"
    manifest = json.dumps([{"Config": name, "RepoTags": [tag], "Layers": ["layer.tar"]}]).encode()
    return _tar({name: (config, 0o644), "layer.tar": (layer, 0o644), "manifest.json": (manifest, 0o644)})


def _tar(files: dict[str, tuple[bytes, int]]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, (content, mode) in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), mode
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def _architecture() -> str:
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
