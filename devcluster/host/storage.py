"""How layers of images can be stored on a file system."""

from __future__ import annotations

from pathlib import Path

from devcluster.host import shell


def on_overlay(path: Path) -> bool:
    """Whether the folder is itself on an overlay, as in a container: the kernel stacks no overlay on one."""
    path.mkdir(parents=True, exist_ok=True)
    return shell.run(["stat", "--file-system", "--format=%T", path]).stdout.strip() == "overlayfs"
