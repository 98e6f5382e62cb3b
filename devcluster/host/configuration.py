"""Configuration files of the components."""

from __future__ import annotations

from pathlib import Path


def write(path: Path, text: str) -> Path:
    """Write a file atomically, unless its content is the same: kube-proxy exits on any write to its configuration."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() or path.read_text() != text:
        scratch = path.with_name(f".{path.name}.new")
        scratch.write_text(text)
        scratch.replace(path)
    return path
