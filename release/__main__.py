"""Build a release, bundle it, or push it: `python -m release --help`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from devcluster.errors import DevclusterError
from devcluster.host import shell
from devcluster.images import baseimage
from devcluster.progress import Progress
from release import build
from release.version import VersionError


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return the exit code."""
    arguments = _parser().parse_args(argv)
    progress = Progress()
    try:
        _run(arguments, progress)
    except (DevclusterError, VersionError) as error:
        progress.say(f"error: {error}")
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m release", description=__doc__)
    parser.add_argument("--snapshot", action="store_true", help="a version that is not in CHANGELOG.md yet")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    build_parser = commands.add_parser("build", help="write dist/: images, chart, manifests, SBOMs, checksums")
    build_parser.add_argument(
        "--architectures",
        default=baseimage.host_architecture(),
        help="of the images, such as amd64,arm64 (default: this machine's, %(default)s)",
    )
    build_parser.add_argument("--key", type=Path, help="ECDSA key in PEM to sign the checksums with")
    commands.add_parser("airgap", help="put the built release into one file")
    push = commands.add_parser("push", help="copy the built images and chart to a registry")
    push.add_argument("registry", metavar="REGISTRY", help="such as registry.example.com/mirror")
    return parser


def _run(arguments: argparse.Namespace, progress: Progress) -> None:
    architectures = getattr(arguments, "architectures", baseimage.host_architecture()).split(",")
    release = build.plan(architectures, snapshot=arguments.snapshot, progress=progress)
    if arguments.command == "build":
        if arguments.key is not None and not arguments.key.is_file():
            raise DevclusterError(
                f"{arguments.key}: there is no such key; to create one, run "
                f"`openssl ecparam -genkey -name prime256v1 -noout -out {arguments.key}`"
            )
        release.build(arguments.key)
        progress.say(f"the release is in {release.target}")
    elif arguments.command == "airgap":
        progress.say(f"the bundle is {build.bundle(release.target, progress)}")
    else:
        if not release.target.exists():
            raise DevclusterError(f"{release.target.name} is not built: run `make release` first")
        with progress.step(f"push to {arguments.registry}"):
            path = f"{build.helm(progress).parent}{os.pathsep}{os.environ['PATH']}"
            shell.run(["./load.sh", arguments.registry], cwd=release.target, timeout=3600, env={"PATH": path})


if __name__ == "__main__":
    sys.exit(main())
