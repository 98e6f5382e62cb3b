"""Build the archive for krew, and its manifest: `python integrations/krew/build.py FOLDER URL`.

The archive has the plugin and the libraries that are pure Python, so one serves all platforms. Its `lint`, `new`, and
`top` say what to install for them. The libraries are those of the environment that runs this, which the lock pins.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import io
import tarfile
from collections.abc import Iterator
from importlib.metadata import files
from pathlib import Path

from tts_operator import __version__

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "operator" / "tts_operator"
SHARED = ("__init__.py", "json_object.py", "printable.py")
"""What the plugin uses of the operator, besides its own package."""
LIBRARIES = {"click": "click", "rich": "rich", "pyyaml": "yaml"}
"""Distributions, and their packages. rich's own dependencies are for Markdown and source code only."""
LAUNCHER = """\
#!/usr/bin/env python3
import os
import sys

if sys.version_info < (3, 10):
    sys.exit("error: kubectl tts needs Python 3.10 or newer on the PATH as python3")
sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "lib"))
from tts_operator.cli.__main__ import main

main()
"""


def content() -> Iterator[tuple[str, bytes, int]]:
    """Yield the archive's files: path, content, and mode."""
    yield "kubectl-tts", LAUNCHER.encode(), 0o755
    yield "LICENSE", (ROOT / "LICENSE").read_bytes(), 0o644
    own = [*(PACKAGE / name for name in SHARED), *(PACKAGE / "cli").rglob("*.py")]
    for path in own:
        yield f"lib/tts_operator/{path.relative_to(PACKAGE).as_posix()}", path.read_bytes(), 0o644
    for distribution, package in LIBRARIES.items():
        for each in files(distribution) or ():
            is_code = each.parts[0] == package and each.suffix == ".py"
            if is_code or "LICENSE" in each.name.upper():
                yield f"lib/{each.as_posix()}", Path(str(each.locate())).read_bytes(), 0o644


def archive() -> bytes:
    """Return the archive, the same bytes for the same content."""
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for path, data, mode in sorted(content()):
            info = tarfile.TarInfo(path)
            info.size, info.mode = len(data), mode
            tar.addfile(info, io.BytesIO(data))
    return gzip.compress(plain.getvalue(), mtime=0)


def main() -> None:
    """Write the archive and the manifest into a folder."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("folder", type=Path, help="where the two files go")
    parser.add_argument("url", help="where the archive will be published; {version} stands for the version")
    arguments = parser.parse_args()
    data = archive()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    (arguments.folder / "kubectl-tts.tar.gz").write_bytes(data)
    manifest = (ROOT / "integrations" / "krew" / "tts.yaml").read_text(encoding="utf-8")
    for name, value in {
        "VERSION": f"v{__version__}",
        "URL": arguments.url.replace("{version}", f"v{__version__}"),
        "SHA256": hashlib.sha256(data).hexdigest(),
    }.items():
        manifest = manifest.replace(f"${name}", value)
    (arguments.folder / "tts.yaml").write_text(manifest, encoding="utf-8")


if __name__ == "__main__":
    main()
