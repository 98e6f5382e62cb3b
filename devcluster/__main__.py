"""``python -m devcluster``: the command line."""

from __future__ import annotations

import argparse
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from devcluster import binaries
from devcluster.errors import DevclusterError
from devcluster.host import cgroups, network
from devcluster.host.processes import Supervisor
from devcluster.layout import ZONES
from devcluster.lifecycle import claims, status
from devcluster.lifecycle.bringup import Wanted, up
from devcluster.progress import Progress
from devcluster.provider import Devcluster, Existing, Kind, Provider, Size, choose

EXAMPLES = """\
examples:
  python -m devcluster up                                  three nodes in three zones
  python -m devcluster up --name integration --nodes 0 --kwok 3
                                                           a control plane with fake nodes, in seconds
  python -m devcluster up --ingress                        and an ingress controller (Traefik)
  export KUBECONFIG=$(python -m devcluster kubeconfig)
  $(python -m devcluster bin kubectl) get nodes
  python -m devcluster build-image Dockerfile.server ghcr.io/tts-operator/tts-server:dev
  python -m devcluster load-image ghcr.io/tts-operator/tts-server:dev
  python -m devcluster zone down zone-b                    pull the cables of a zone
  python -m devcluster down

The variable CLUSTER chooses where the cluster comes from: devcluster (default), kind (needs Docker and kind),
existing (the current kubectl context; images are pushed to REGISTRY).
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return the exit code."""
    arguments = _parser().parse_args(argv)
    progress = Progress()
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        return _run(arguments, choose(arguments.name, progress), progress)
    except DevclusterError as error:
        progress.say(f"error: {error}")
        return 1
    except KeyboardInterrupt:
        progress.say("interrupted; `python -m devcluster down` removes what was begun, `up` goes on with it")
        return 130


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    """End on SIGTERM as on Ctrl-C, so that a compiler under way ends too."""
    raise KeyboardInterrupt


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m devcluster",
        description="A real local Kubernetes without Docker.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--name", default="dev", help="the cluster (default: dev)")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name: str, text: str) -> argparse.ArgumentParser:
        return commands.add_parser(name, help=text, description=text, parents=[common])

    raising = command("up", "bring the cluster up, or heal it")
    raising.add_argument("--nodes", type=int, help="real nodes, 0 to 9 (a new cluster: 3)")
    raising.add_argument("--kwok", type=int, help="fake nodes (a new cluster: 0)")
    raising.add_argument(
        "--ingress", action="store_true", default=None, help="an ingress controller (a cluster that has one keeps it)"
    )
    raising.add_argument("--timeout", type=float, default=180, help="seconds until ready, compiling not counted")
    command("down", "remove the cluster and all it made")
    command("status", "show components and nodes; exit code 1 unless all is well")
    command("kubeconfig", "print the path of the kubeconfig")
    building = command("build-image", "build an image from a Dockerfile")
    building.add_argument("dockerfile", type=Path, metavar="DOCKERFILE")
    building.add_argument("tag", metavar="TAG")
    building.add_argument("--build-arg", action="append", default=[], metavar="K=V", help="may be repeated")
    building.add_argument("--context", type=Path, default=Path(), help="the folder that COPY sees (default: .)")
    command("load-image", "give a built image to every node").add_argument("tag", metavar="TAG")
    zone = command("zone", "cut a zone off from all others, or connect it again")
    zone.add_argument("action", choices=("down", "up"))
    zone.add_argument("zone", choices=ZONES, metavar="ZONE", help=", ".join(ZONES))
    log = command("logs", "print a component's log")
    log.add_argument("component", nargs="?", metavar="COMPONENT", help="without it: list the components")
    log.add_argument("-f", "--follow", action="store_true", help="go on until interrupted")
    command("restart", "end a component and start it again").add_argument("component", metavar="COMPONENT")
    program = command("bin", "build a program if need be, and print its path")
    program.add_argument("program", choices=binaries.PROGRAMS, metavar="PROGRAM", help=", ".join(binaries.PROGRAMS))
    return parser


def _run(arguments: argparse.Namespace, provider: Provider, progress: Progress) -> int:
    command = arguments.command
    if command == "up":
        provider.up(Size(arguments.nodes, arguments.kwok, arguments.ingress, arguments.timeout))
        progress.say(f"kubeconfig: {provider.kubeconfig()}")
        if isinstance(provider, Devcluster):
            progress.say(f"kubectl:    {binaries.path_of('kubectl')}")
    elif command == "down":
        provider.down()
    elif command == "kubeconfig":
        print(provider.kubeconfig())
    elif command == "build-image":
        provider.build_image(
            arguments.dockerfile, arguments.tag, _build_arguments(arguments.build_arg), arguments.context
        )
    elif command == "load-image":
        provider.load_image(arguments.tag)
    elif command == "bin":
        binaries.ensure([arguments.program], progress)
        print(binaries.path_of(arguments.program))
    elif isinstance(provider, Kind | Existing):
        raise DevclusterError(f"`{command}` works with CLUSTER=devcluster only")
    else:
        return _inspect(arguments, progress)
    return 0


def _inspect(arguments: argparse.Namespace, progress: Progress) -> int:
    cluster = claims.existing(arguments.name)
    supervisor = Supervisor(cluster, cgroups.detect())
    if arguments.command == "status":
        lines, healthy = status.describe(cluster)
        print("\n".join(lines))
        return 0 if healthy else 1
    if arguments.command == "zone":
        spec = claims.read_spec(cluster)
        nodes = [node for node in cluster.nodes(spec.nodes if spec else 0) if node.zone == arguments.zone]
        if not nodes:
            raise DevclusterError(f"cluster {cluster.name!r} has no real node in {arguments.zone}")
        network.set_zone(nodes, up=arguments.action == "up")
    elif arguments.command == "logs":
        if not arguments.component:
            print("\n".join(supervisor.names()))
            return 0
        _check_component(supervisor, arguments.component)
        _print_log(supervisor.log_path(arguments.component), follow=arguments.follow)
    elif arguments.command == "restart":
        _check_component(supervisor, arguments.component)
        with claims.locked(arguments.name, progress):
            supervisor.stop(arguments.component)
        up(arguments.name, Wanted(), 120, progress)
    return 0


def _check_component(supervisor: Supervisor, name: str) -> None:
    if name not in supervisor.names():
        raise DevclusterError(f"no component {name!r}; there are: {', '.join(supervisor.names())}")


def _print_log(path: Path, *, follow: bool) -> None:
    with path.open(errors="replace") as file:
        while True:
            for line in file:
                sys.stdout.write(line)
            sys.stdout.flush()
            if not follow:
                return
            time.sleep(0.2)


def _build_arguments(words: Sequence[str]) -> dict[str, str]:
    pairs = [word.partition("=") for word in words]
    wrong = [key for key, equals, _ in pairs if not (key and equals)]
    if wrong:
        raise DevclusterError(f"--build-arg {wrong[0]}: write it as KEY=VALUE")
    return {key: value for key, _, value in pairs}


if __name__ == "__main__":
    sys.exit(main())
