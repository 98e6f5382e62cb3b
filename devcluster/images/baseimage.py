"""The base image of the Dockerfiles (build argument PYTHON_IMAGE), built from Debian packages instead of pulled."""

from __future__ import annotations

import hashlib
import platform
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from devcluster.errors import DevclusterError
from devcluster.host import shell
from devcluster.layout import cache_home
from devcluster.progress import Progress

SUITE = "bookworm"
PACKAGES = ("python3", "python3-venv", "ca-certificates")
MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}
"""Architectures by the names of images, and of machines."""
EMULATORS = Path("/proc/sys/fs/binfmt_misc")
"""How the kernel runs programs of other architectures."""
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")


@dataclass(frozen=True)
class Mirrors:
    """Debian mirrors that the host is configured to use."""

    main: str | None = None
    security: str | None = None

    def sources(self) -> str:
        """Return a sources.list for the suite. If it is empty, mmdebstrap uses Debian's default mirror."""
        lines = [f"deb {self.main} {SUITE} main", f"deb {self.main} {SUITE}-updates main"] if self.main else []
        if self.main and self.security:
            lines.append(f"deb {self.security} {SUITE}-security main")
        return "".join(line + "\n" for line in lines)


def mirrors_of(sources: str) -> Mirrors:
    """Return the Debian mirrors in the text of apt sources, which may be in either format."""
    uris = re.findall(r"^(?:deb\s+(?:\[[^]]*\]\s+)?|URIs:\s*)(\S+)", sources, re.MULTILINE)
    mains = [uri for uri in uris if re.search(r"/debian/?$", uri)]
    securities = [uri for uri in uris if re.search(r"/debian-security/?$", uri)]
    return Mirrors(mains[0] if mains else None, securities[0] if securities else None)


def host_sources(apt: Path = Path("/etc/apt")) -> str:
    """Return the content of the host's apt sources."""
    files = [
        apt / "sources.list",
        *sorted((apt / "sources.list.d").glob("*.list")),
        *sorted((apt / "sources.list.d").glob("*.sources")),
    ]
    return "\n".join(path.read_text() for path in files if path.is_file())


def host_architecture() -> str:
    """Return the architecture of this machine, by its name in images."""
    return next((name for name, machine in MACHINES.items() if machine == platform.machine()), platform.machine())


def check_emulator(architecture: str) -> None:
    """Raise DevclusterError if this machine cannot run the programs of an architecture."""
    if architecture == host_architecture():
        return
    if architecture not in MACHINES:
        raise DevclusterError(f"architecture {architecture}: write {' or '.join(MACHINES)}")
    # mmdebstrap asks arch-test.
    if not (EMULATORS / f"qemu-{MACHINES[architecture]}").exists() or shutil.which("arch-test") is None:
        raise DevclusterError(
            f"to build for {architecture}, this machine ({host_architecture()}) needs QEMU: on Debian, run "
            "`apt-get install qemu-user-static binfmt-support arch-test`, or build with Docker's buildx"
        )


def ensure(progress: Progress, architecture: str | None = None) -> Path:
    """Return the root file system as a tar archive, built on the first call, for the host's architecture or another."""
    recipe = hashlib.sha256(repr((SUITE, PACKAGES, _HOOKS)).encode()).hexdigest()[:12]
    foreign = architecture if architecture not in (None, host_architecture()) else None
    if foreign:
        check_emulator(foreign)
    target = cache_home() / "images" / f"python-{SUITE}-{f'{foreign}-' if foreign else ''}{recipe}.tar"
    if target.exists():
        return target
    if not KEYRING.exists():
        raise DevclusterError(f"{KEYRING} does not exist; install the package debian-archive-keyring")
    target.parent.mkdir(parents=True, exist_ok=True)
    scratch = target.with_suffix(".new.tar")
    work = cache_home() / "tmp"
    work.mkdir(exist_ok=True)
    sources = work / "sources.list"
    sources.write_text(mirrors_of(host_sources()).sources())
    mirror = [sources] if sources.stat().st_size else []
    what = f"build base image: Debian {SUITE} with {', '.join(PACKAGES)}{f' for {foreign}' if foreign else ''}"
    with progress.step(what):
        shell.run_logged(
            [
                "mmdebstrap",
                "--variant=minbase",
                *([f"--architectures={foreign}"] if foreign else []),
                f"--include={','.join(PACKAGES)}",
                f"--keyring={KEYRING}",
                *(f"--aptopt={option}" for option in _apt_options()),
                *(f"--customize-hook={hook}" for hook in _HOOKS),
                "--dpkgopt=path-exclude=/usr/share/man/*",
                "--dpkgopt=path-exclude=/usr/share/locale/*",
                "--dpkgopt=path-exclude=/usr/share/doc/*",
                "--dpkgopt=path-include=/usr/share/doc/*/copyright",
                SUITE,
                scratch,
                *mirror,
            ],
            log=cache_home() / "images" / "mmdebstrap.log",
            what=what,
            progress=progress,
            timeout=1800,
            env={"TMPDIR": str(work)},
        )
        scratch.replace(target)
    shutil.rmtree(work, ignore_errors=True)
    return target


# The image must not contain this host's access to a mirror, and installs no packages later.
_HOOKS = (
    'rm -f "$1/etc/apt/apt.conf.d/99mmdebstrap"',
    'rm -rf "$1/etc/apt/sources.list.d" && mkdir "$1/etc/apt/sources.list.d"',
    ': > "$1/etc/apt/sources.list"',
    'ln -sf python3 "$1/usr/bin/python"',
    'rm -f "$1/etc/resolv.conf" "$1/etc/hostname"',
)


def _apt_options() -> list[str]:
    """Return the host's apt settings for access to a mirror: proxies and certificates."""
    if shutil.which("apt-config") is None:
        return []
    dump = shell.run(["apt-config", "dump"], check=False).stdout
    wanted = re.compile(r'^Acquire::(?:https?::.*(?:Proxy|CaInfo|CAInfo|Verify-Peer)\S*|Retries) ".+";$')
    return [line.rstrip(";") for line in dump.splitlines() if wanted.match(line)]
