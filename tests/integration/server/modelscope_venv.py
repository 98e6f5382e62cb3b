"""A virtual environment with the genuine ModelScope, on Debian's torch (CPU only, a tenth of PyPI's).

Made once, in the user's cache, for each state of the lock: about two minutes and a gigabyte. Only what the engine needs
is installed, at the lock's versions.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
from pathlib import Path

from devcluster.host import debian
from devcluster.progress import Progress

from .conftest import ROOT

LOCK = ROOT / "requirements" / "modelscope.lock"
DOUBLES = Path(__file__).parent / "modelscope_doubles"
_PYTHON = "/usr/bin/python3"
_PACKAGES = (
    "addict",
    "attrs",
    "datasets",
    "einops",
    "matplotlib",
    "modelscope",
    "pillow",
    "python-dateutil",
    "pyyaml",
    "simplejson",
    "sortedcontainers",
    "av",
    "flask",
    "gevent",
    "gunicorn",
    "numpy",
    "opencc",
    "prometheus-client",
    "pydantic",
    "redis",
    "tritonclient[grpc]",
    "wsproto",
)


def missing() -> str:
    """Return why there can be no such environment on this machine; empty if there can."""
    if not Path(_PYTHON).exists() or not ((shutil.which("apt-get") and os.getuid() == 0) or _has_torch()):
        return "ModelScope's tests need Debian's python3-torch, or root and apt-get to install it"
    return ""


def python() -> str:
    """Return the environment's interpreter, made if it is not there."""
    digest = hashlib.sha256(LOCK.read_bytes() + " ".join(_PACKAGES).encode()).hexdigest()[:12]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "tts-devcluster")
    cache.mkdir(parents=True, exist_ok=True)
    folder = cache / f"modelscope-{digest}"
    with (cache / "modelscope.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "ready").exists():
            if not _has_torch():
                debian.install(["python3-torch", "python3-venv"], Progress())
            _run(_PYTHON, "-m", "venv", "--clear", "--system-site-packages", "--without-pip", str(folder))
            uv = ROOT / ".venv" / "bin" / "uv"
            install = (
                "pip",
                "install",
                "--quiet",
                "--python",
                str(folder / "bin" / "python"),
                "--constraint",
                str(LOCK),
            )
            _run(str(uv), *install, *_PACKAGES)
            (folder / "ready").touch()
    return str(folder / "bin" / "python")


def _has_torch() -> bool:
    return (
        subprocess.run([_PYTHON, "-c", "import torch"], capture_output=True, timeout=100, check=False).returncode == 0
    )


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stderr}"
