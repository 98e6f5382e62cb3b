"""Nothing that is installed can come from a place that somebody else owns."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from devcluster.product import ROOT

OURS = ("tts-operator", "tts_operator", "tts-server", "kantts", "ttsfrd")
"""Names under which an index holds nothing of ours, or nothing that we want."""
INSTALLS = re.compile(r"pip[^`\n]*? (?:install|download)\b[^`\n]*(?:\\\n[^`\n]*)*")
TEXTS = [
    ROOT / name
    for name in subprocess.run(
        ["git", "ls-files", "*.md", "*.py", "Dockerfile*", "*/Dockerfile", "Makefile", "*.yaml"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    if not name.startswith("tests/unit/test_sources")
]


def installs(text: str) -> list[str]:
    """Each command that installs by pip, on one line."""
    return [" ".join(found.replace("\\\n", " ").split()) for found in INSTALLS.findall(text)]


def test_no_command_takes_these_names_from_an_index() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}: {command}"
        for path in TEXTS
        for command in installs(path.read_text(encoding="utf-8"))
        if any(re.search(rf"(?<![\w/.-]){name}\b", command) for name in OURS) and "--no-index" not in command
    ]
    assert wrong == []


@pytest.mark.parametrize("name", ["Dockerfile.operator", "Dockerfile.server", "Dockerfile.modelscope"])
def test_images_install_by_hash_or_from_a_folder(name: str) -> None:
    commands = installs((ROOT / name).read_text())
    assert commands
    assert all("--require-hashes" in each or "--no-index" in each for each in commands)


@pytest.mark.parametrize("lock", sorted(Path(ROOT, "requirements").glob("*.lock")), ids=lambda path: path.name)
def test_locks_pin_everything_by_hash(lock: Path) -> None:
    entries = re.findall(r"^[a-z].*(?:\n .*)*", lock.read_text(), re.MULTILINE)
    assert entries
    assert all("==" in entry and "--hash=sha256:" in entry for entry in entries)
    assert "index-url" not in lock.read_text()
