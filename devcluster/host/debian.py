"""Debian packages that the cluster needs. They are installed if possible; otherwise the error names them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from devcluster.errors import DevclusterError
from devcluster.host import filelock, shell
from devcluster.layout import cache_home
from devcluster.progress import Progress

SBIN = ("/usr/local/sbin", "/usr/sbin", "/sbin")


@dataclass(frozen=True)
class Requirement:
    """A program or a file, and the Debian package that provides it."""

    what: str
    package: str

    def met(self) -> bool:
        """Whether the program or file exists."""
        if self.what.startswith("/"):
            return Path(self.what).exists()
        return shutil.which(self.what, path=os.pathsep.join([os.environ.get("PATH", ""), *SBIN])) is not None


CONTROL_PLANE = (
    Requirement("ip", "iproute2"),
    Requirement("openssl", "openssl"),
    Requirement("nsenter", "util-linux"),
)
NODE = (
    Requirement("runc", "runc"),
    Requirement("/usr/lib/cni/ptp", "containernetworking-plugins"),
    Requirement("nft", "nftables"),
    Requirement("conntrack", "conntrack"),
    Requirement("mount", "mount"),
)
JAVA = Requirement("java", "default-jre-headless")
IVY = Requirement("/usr/share/java/ivy.jar", "ivy")
IMAGES = (
    Requirement("buildah", "buildah"),
    Requirement("mmdebstrap", "mmdebstrap"),
    Requirement("runc", "runc"),
    Requirement("/etc/ssl/certs/ca-certificates.crt", "ca-certificates"),
)


def ensure(requirements: Sequence[Requirement], progress: Progress) -> None:
    """Install the missing packages. Raises DevclusterError where that is impossible."""
    missing = [each for each in requirements if not each.met()]
    if not missing:
        return
    packages = sorted({each.package for each in missing})
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise DevclusterError(
            f"missing on this machine: {', '.join(each.what for each in missing)}. On Debian and Ubuntu, run: "
            f"apt-get install --no-install-recommends {' '.join(packages)}"
        )
    log = install(packages, progress)
    still_missing = [each.what for each in requirements if not each.met()]
    if still_missing:
        raise DevclusterError(
            f"still missing after apt-get install {' '.join(packages)}: {', '.join(still_missing)}; see {log}"
        )


def install(packages: Sequence[str], progress: Progress) -> Path:
    """Install packages with apt-get, as root. Return its log. Raises DevclusterError.

    Of our processes, one at a time does so: apt-get fails at once if another one holds the lock of the lists.
    """
    log = cache_home() / "apt.log"
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    lock = cache_home() / ".apt.lock"
    with (
        progress.step(f"install Debian packages: {', '.join(packages)}"),
        filelock.held(lock, timeout=1800, holder="another command is installing Debian packages", progress=progress),
    ):
        shell.run_logged(
            ["apt-get", "update", "-q"], log=log, what="apt-get update", progress=progress, timeout=300, env=quiet
        )
        wait = "DPkg::Lock::Timeout=300"  # for others, as Debian's unattended upgrades
        shell.run_logged(
            ["apt-get", "install", "-q", "-y", "-o", wait, "--no-install-recommends", *packages],
            log=log,
            what="apt-get install",
            progress=progress,
            timeout=1200,
            env=quiet,
        )
    return log
