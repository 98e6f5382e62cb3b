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
from devcluster.lifecycle.bringup import SpecPatch, up
from devcluster.progress import Progress
from devcluster.provider import Devcluster, Existing, Kind, Provider, Size, choose

EXAMPLES = """\
examples:
  python -m devcluster up                                  three nodes in three zones
  python -m devcluster up --name integration --nodes 0 --kwok 3
                                                           a control plane with fake nodes, ready in seconds
  python -m devcluster up --ingress                        and an ingress controller (Traefik)
  python -m devcluster up --kafka --s3                     and a Kafka broker and an S3 server; `status` says where
  python -m devcluster up --keda                           and KEDA, which scales by events
  export KUBECONFIG=$(python -m devcluster kubeconfig)
  $(python -m devcluster bin kubectl) get nodes
  python -m devcluster build-image Dockerfile.server ghcr.io/tts-operator/tts-server:dev
  python -m devcluster load-image ghcr.io/tts-operator/tts-server:dev
  python -m devcluster zone down zone-b                    cut a zone off from the network
  python -m devcluster down

The environment variable CLUSTER selects the provider: devcluster (default), kind (needs Docker and kind), or existing
(the current kubectl context; images are pushed to REGISTRY).
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
        progress.say("interrupted; run `python -m devcluster up` to continue, or `down` to clean up")
        return 130


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    """Treat SIGTERM like Ctrl-C, so that a running compiler stops too."""
    raise KeyboardInterrupt


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m devcluster",
        description="A real Kubernetes cluster on this machine, without Docker.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--name", default="dev", help="cluster name (default: dev)")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name: str, text: str) -> argparse.ArgumentParser:
        return commands.add_parser(name, help=text, description=text, parents=[common])

    up_parser = command("up", "create the cluster, or repair it")
    up_parser.add_argument("--nodes", type=int, help="number of real nodes, 0 to 9 (default for a new cluster: 3)")
    up_parser.add_argument("--kwok", type=int, help="number of fake nodes (default for a new cluster: 0)")
    up_parser.add_argument(
        "--ingress",
        action="store_true",
        default=None,
        help="install an ingress controller; the cluster keeps it until `down`",
    )
    up_parser.add_argument(
        "--kafka", action="store_true", default=None, help="run Apache Kafka; the cluster keeps it until `down`"
    )
    up_parser.add_argument(
        "--s3",
        action="store_true",
        default=None,
        help="run an S3 server (versitygw); the cluster keeps it until `down`",
    )
    up_parser.add_argument(
        "--keda", action="store_true", default=None, help="install KEDA; the cluster keeps it until `down`"
    )
    up_parser.add_argument(
        "--timeout", type=float, default=180, help="seconds to wait for readiness, not counting compilation"
    )
    command("down", "remove the cluster and everything it created")
    command("status", "show components and nodes; exit code 1 unless all are healthy")
    command("kubeconfig", "print the path of the kubeconfig")
    build_parser = command("build-image", "build an image from a Dockerfile")
    build_parser.add_argument("dockerfile", type=Path, metavar="DOCKERFILE")
    build_parser.add_argument("tag", metavar="TAG")
    build_parser.add_argument(
        "--build-arg", action="append", default=[], metavar="K=V", help="build argument; repeatable"
    )
    build_parser.add_argument("--context", type=Path, default=Path(), help="build context (default: .)")
    command("load-image", "load a built image into every node").add_argument("tag", metavar="TAG")
    zone = command("zone", "disconnect a zone from the network, or reconnect it")
    zone.add_argument("action", choices=("down", "up"))
    zone.add_argument("zone", choices=ZONES, metavar="ZONE", help=", ".join(ZONES))
    log = command("logs", "print the log of a component")
    log.add_argument("component", nargs="?", metavar="COMPONENT", help="omit to list the components")
    log.add_argument("-f", "--follow", action="store_true", help="follow the log until interrupted")
    command("restart", "restart a component").add_argument("component", metavar="COMPONENT")
    program = command("bin", "print the path of a program, compiling it first if necessary")
    program.add_argument("program", choices=binaries.PROGRAMS, metavar="PROGRAM", help=", ".join(binaries.PROGRAMS))
    return parser


def _run(arguments: argparse.Namespace, provider: Provider, progress: Progress) -> int:
    command = arguments.command
    if command == "up":
        provider.up(
            Size(
                nodes=arguments.nodes,
                kwok=arguments.kwok,
                ingress=arguments.ingress,
                kafka=arguments.kafka,
                s3=arguments.s3,
                keda=arguments.keda,
                timeout=arguments.timeout,
            )
        )
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
        raise DevclusterError(f"`{command}` requires CLUSTER=devcluster")
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
        up(arguments.name, SpecPatch(), 120, progress)
    return 0


def _check_component(supervisor: Supervisor, name: str) -> None:
    if name not in supervisor.names():
        raise DevclusterError(f"unknown component {name!r}; known components: {', '.join(supervisor.names())}")


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
        raise DevclusterError(f"--build-arg {wrong[0]}: expected KEY=VALUE")
    return {key: value for key, _, value in pairs}


if __name__ == "__main__":
    sys.exit(main())
