"""Apache Kafka's jars, from Maven Central, at the versions of java/kafka/ivy.xml.

Apache Ivy, which Debian signs, downloads them. None is used unless its hash is in java/kafka/SHA256SUMS.
`python -m devcluster.jars` writes that file anew, after a change of a version.
"""

from __future__ import annotations

import hashlib
import sys
import tempfile
from pathlib import Path

from devcluster.errors import DevclusterError
from devcluster.host import debian, filelock, shell
from devcluster.layout import cache_home
from devcluster.progress import Progress

FOLDER = Path(__file__).resolve().parent / "java" / "kafka"
IVY = debian.IVY.what
DOWNLOAD_TIMEOUT = 900.0


def folder() -> Path:
    """Return the folder of the jars. It exists once they are downloaded."""
    digest = hashlib.sha256()
    for name in ("ivy.xml", "SHA256SUMS"):
        digest.update((FOLDER / name).read_bytes() + b"\0")
    return cache_home() / "jars" / f"kafka-{digest.hexdigest()[:12]}"


def ensure(progress: Progress) -> Path:
    """Return the folder of the jars, downloading them if they are missing."""
    debian.ensure([debian.JAVA], progress)
    target = folder()
    if target.exists():
        return target
    with filelock.held(
        target.parent / ".lock",
        timeout=DOWNLOAD_TIMEOUT,
        holder="another devcluster command is downloading Kafka",
        progress=progress,
    ):
        if not target.exists():
            with tempfile.TemporaryDirectory(dir=target.parent, prefix=".new-") as scratch:
                found = _download(Path(scratch), progress)
                verify(sums(found), (FOLDER / "SHA256SUMS").read_text())
                found.replace(target)
    return target


def sums(jars: Path) -> str:
    """Return the hashes of the jars in a folder, in the format of sha256sum."""
    return "".join(f"{hashlib.sha256(jar.read_bytes()).hexdigest()}  {jar.name}\n" for jar in sorted(jars.iterdir()))


def verify(found: str, expected: str) -> None:
    """Compare two texts in the format of sha256sum. Raises DevclusterError unless they name the same files."""
    wrong = sorted({line.split()[1] for line in {*found.splitlines()} ^ {*expected.splitlines()}})
    if wrong:
        raise DevclusterError(
            f"what Maven Central serves differs from {FOLDER / 'SHA256SUMS'} in {', '.join(wrong)}; nothing was "
            "installed. If ivy.xml has changed, run: python -m devcluster.jars"
        )


def _download(scratch: Path, progress: Progress) -> Path:
    """Return a folder of the jars that ivy.xml asks for, not yet verified."""
    debian.ensure([debian.JAVA, debian.IVY], progress)
    jars = scratch / "jars"
    what = "download Apache Kafka"
    with progress.step(what):
        shell.run_logged(
            [
                *("java", "-jar", IVY),
                *("-ivy", FOLDER / "ivy.xml"),
                *("-cache", scratch / "cache"),
                *("-types", "jar", "bundle"),
                *("-retrieve", f"{jars}/[artifact]-[revision].[ext]"),
            ],
            log=cache_home() / "jars" / "ivy.log",
            what=what,
            progress=progress,
            timeout=DOWNLOAD_TIMEOUT,
            cwd=scratch,
        )
    return jars


def main() -> int:
    """Write SHA256SUMS, and return the exit code."""
    progress = Progress()
    try:
        with tempfile.TemporaryDirectory() as scratch:
            (FOLDER / "SHA256SUMS").write_text(sums(_download(Path(scratch), progress)))
    except DevclusterError as error:
        progress.say(f"error: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
