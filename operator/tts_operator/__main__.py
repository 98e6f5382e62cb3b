"""The command `tts-operator`."""

import argparse
import asyncio
import gc
import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import uvloop

from tts_operator import SERVER_IMAGE, __version__, logs
from tts_operator.app import (
    ListenAddress,
    Operator,
    Settings,
    Tracing,
    TracingError,
    find_access,
    parse_key_secret,
    parse_kinds,
    parse_lease,
    parse_namespaces,
    parse_runbooks,
    start_tracing,
)
from tts_operator.desired import Defaults
from tts_operator.policy import Policy, PolicyError, load
from tts_operator.runtime import LeaseLostError

GARBAGE_OBJECTS = 50_000
"""Each watch event creates about a hundred small objects, which are freed by reference counting. With Python's default
threshold of 700, the cyclic garbage collector would run every few events, in vain."""

EXAMPLES = """\
examples:
  tts-operator run                                  all namespaces, as in the cluster
  tts-operator run --namespace speech,shop          two namespaces; needs no rights beyond them
  tts-operator run --lease NAMESPACE/tts-operator   one of several: who holds the Lease works, the others stand by
  KUBECONFIG=~/.kube/config tts-operator run        from a laptop, against the current context
"""


def _with_message(parse: Callable[[str], Any]) -> Callable[[str], Any]:
    """Adapt a parser to argparse, which drops the message of a ValueError."""

    def parsed(text: str) -> Any:
        try:
            return parse(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return parsed


def parser() -> argparse.ArgumentParser:
    """Define the command line."""
    root = argparse.ArgumentParser(
        prog="tts-operator",
        description="Keeps text-to-speech services highly available on Kubernetes.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    root.add_argument("--version", action="version", version=__version__)
    run = root.add_subparsers(dest="command", required=True).add_parser("run", help="watch TTSServices and reconcile")
    run.add_argument(
        "--namespace",
        metavar="NAMESPACE,...",
        type=_with_message(parse_namespaces),
        default=os.environ.get("TTS_OPERATOR_NAMESPACE", ""),
        help="reconcile only these namespaces (TTS_OPERATOR_NAMESPACE); default: all",
    )
    run.add_argument(
        "--without",
        metavar="KIND,...",
        type=_with_message(parse_kinds),
        default=os.environ.get("TTS_OPERATOR_WITHOUT", ""),
        help="child kinds to neither watch nor create, such as Ingress, and to need no permissions for; a TTSService "
        "that asks for one says so in its status (TTS_OPERATOR_WITHOUT); default: none",
    )
    run.add_argument(
        "--own-namespace",
        metavar="NAMESPACE",
        default=os.environ.get("POD_NAMESPACE", ""),
        help="namespace of the operator itself, which network policies of services admit (POD_NAMESPACE); "
        "default: unknown, and not admitted",
    )
    run.add_argument(
        "--server-image",
        default=os.environ.get("TTS_OPERATOR_SERVER_IMAGE") or SERVER_IMAGE,
        help="model server image for specs without one (TTS_OPERATOR_SERVER_IMAGE); default: %(default)s",
    )
    run.add_argument(
        "--lease",
        metavar="NAMESPACE/NAME",
        type=_with_message(parse_lease),
        default=os.environ.get("TTS_OPERATOR_LEASE", ""),
        help="Lease to hold while active (TTS_OPERATOR_LEASE); default: no leader election",
    )
    run.add_argument(
        "--key-secret",
        metavar="NAMESPACE/NAME",
        type=_with_message(parse_key_secret),
        default=os.environ.get("TTS_OPERATOR_KEY_SECRET", ""),
        help="Secret from which to derive the keys that pods trust, created if missing (TTS_OPERATOR_KEY_SECRET); "
        "default: temporary keys, which a restart discards",
    )
    run.add_argument(
        "--http-address",
        metavar="HOST:PORT",
        type=_with_message(ListenAddress.parse),
        default=os.environ.get("TTS_OPERATOR_HTTP", "0.0.0.0:8080"),
        help="address for /healthz, /readyz, and /metrics (TTS_OPERATOR_HTTP), empty to disable them; "
        "default: 0.0.0.0:8080",
    )
    run.add_argument(
        "--policy",
        metavar="FILE",
        type=_policy,
        default=os.environ.get("TTS_OPERATOR_POLICY", ""),
        help="YAML file that says what TTSServices may use, like the chart's value `policy` (TTS_OPERATOR_POLICY); "
        "default: pods that meet the restricted Pod Security Standard and run the bundled model server",
    )
    run.add_argument(
        "--fencing",
        choices=("on", "off"),
        default=os.environ.get("TTS_OPERATOR_FENCING") or "on",
        help="take pods on an unreachable node out of their Service after about two seconds "
        "(TTS_OPERATOR_FENCING); default: on",
    )
    run.add_argument(
        "--peers",
        metavar="SELECTOR",
        default=os.environ.get("TTS_OPERATOR_PEERS", ""),
        help="label selector for the operator's replicas in --own-namespace, which consult each other before they "
        "fence (TTS_OPERATOR_PEERS); default: this is the only replica",
    )
    run.add_argument(
        "--runbooks",
        metavar="URL",
        type=_with_message(parse_runbooks),
        default=os.environ.get("TTS_OPERATOR_RUNBOOKS", ""),
        help="address of the runbook that an alert links to, with {alert} for the alert's name "
        "(TTS_OPERATOR_RUNBOOKS); default: no link, only the place of the runbook in the repository",
    )
    run.add_argument(
        "--log-level",
        default=os.environ.get("TTS_OPERATOR_LOG_LEVEL") or "info",
        choices=("debug", "info", "warning", "error"),
    )
    return root


def main() -> None:
    """Run the operator until SIGTERM or SIGINT.

    Exit code 1 if the lease was lost, so that it should be restarted; 2 if the command line or the policy is invalid,
    or OpenTelemetry is asked for and missing.
    """
    arguments = parser().parse_args()
    logs.configure(arguments.log_level)
    gc.set_threshold(GARBAGE_OBJECTS, 20, 20)
    try:
        tracing = start_tracing(os.environ, __version__)
    except TracingError as error:
        logging.getLogger("tts_operator").error("%s", error)  # noqa: TRY400 - no bug
        sys.exit(2)
    try:
        sys.exit(uvloop.run(_run(settings_of(arguments), tracing)))
    finally:
        if tracing is not None:
            tracing.close()


def settings_of(arguments: argparse.Namespace) -> Settings:
    """The settings from the command line."""
    return Settings(
        defaults=Defaults(image=arguments.server_image, namespace=arguments.own_namespace, runbooks=arguments.runbooks),
        namespaces=arguments.namespace,
        without=arguments.without,
        lease=arguments.lease,
        key=arguments.key_secret,
        http=arguments.http_address,
        policy=arguments.policy,
        fencing=arguments.fencing == "on",
        peers=arguments.peers,
        pod_name=os.environ.get("POD_NAME", ""),
    )


def _policy(path: str) -> Policy:
    """Load a policy from a file; the default policy for an empty text."""
    if not path:
        return Policy()
    try:
        return load(Path(path))
    except PolicyError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


async def _run(settings: Settings, tracing: Tracing | None) -> int:
    try:
        await Operator(find_access(), settings, tracing).run(asyncio.Event())
    except LeaseLostError as error:
        logging.getLogger("tts_operator").error("stopping because the lease is lost: %s", error)  # noqa: TRY400 - no bug
        return 1
    return 0


if __name__ == "__main__":
    main()
