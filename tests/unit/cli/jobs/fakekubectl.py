"""A kubectl that answers as a test wants."""

from __future__ import annotations

from pathlib import Path

import pytest

from tts_operator.cli.kubectl import Kubectl


def kubectl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> Kubectl:
    """kubectl that is this shell script."""
    file = tmp_path / "kubectl"
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return Kubectl()
