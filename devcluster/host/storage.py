"""Which storage driver for image layers a file system supports."""

from __future__ import annotations

from pathlib import Path

from devcluster.host import shell


def on_overlay(path: Path) -> bool:
    """Whether the folder is on an overlay file system, as in a container, on which overlayfs cannot be used again."""
    path.mkdir(parents=True, exist_ok=True)
    return shell.run(["stat", "--file-system", "--format=%T", path]).stdout.strip() == "overlayfs"
