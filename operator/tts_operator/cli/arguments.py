"""The command line of the plugin."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence

EXAMPLES = """\
examples:
  kubectl tts status narrator --watch --timeout 30m   how the rollout does, until it is done
  kubectl tts promote narrator                        on to the next step of a canary, or switch a blue/green
  kubectl tts promote narrator --full                 to the end, without further holds
  kubectl tts abort narrator                          give it up: the stable revision alone again
  kubectl tts history narrator                        which revisions there are
  kubectl tts diff narrator 4 5                       what differs between two of them
  kubectl tts undo narrator --to 4                    run an older one again
  kubectl tts pause narrator -n speech                hold rollouts; resume goes on

exit codes:
  0    done; status --watch: rolled out
  1    status --watch: rolled back, or stalled
  2    the command line cannot be understood
  3    refused: nothing was changed, and the message says why
  4    kubectl is missing, or the cluster did not answer or said no
  124  status --watch: still going on at --timeout
  130  interrupted
"""
UNITS = {"": 1, "s": 1, "m": 60, "h": 3600}
NAME = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")


def parse(words: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line. Ends the process with exit code 2 where it cannot be understood."""
    root = argparse.ArgumentParser(
        prog="kubectl tts",
        description="Steer the rollouts of a TTSService.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _global_flags(root, default=None)
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("name", metavar="NAME", type=_name, help="the TTSService")
    _global_flags(common, default=argparse.SUPPRESS)
    commands = root.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name: str, text: str, more: str = "") -> argparse.ArgumentParser:
        return commands.add_parser(
            name, help=text, description=f"{text[0].upper()}{text[1:]}. {more}", parents=[common]
        )

    status = command("status", "show how a rollout does")
    status.add_argument("-w", "--watch", action="store_true", help="print each change until it is done")
    status.add_argument(
        "--timeout", type=_seconds, metavar="TIME", help="with --watch: such as 90s, 30m; default: none"
    )
    _output(status)
    promoting = command("promote", "go on from a step that holds", "The checks of each step stay.")
    promoting.add_argument("--full", action="store_true", help="to the end, without further holds")
    command("abort", "give a rollout up: the stable revision alone again", "The spec, and so Git, is not changed.")
    undoing = command("undo", "run an older revision again", "The spec, and so Git, is not changed.")
    target = undoing.add_mutually_exclusive_group()
    target.add_argument(
        "--to", metavar="NUMBER", help="a revision of `history`; default: the one before that which runs"
    )
    target.add_argument("--clear", action="store_true", help="end the undo: run what the spec asks for")
    command("pause", "hold rollouts", "Sets spec.rollout.paused, which Git may set back.")
    command("resume", "let rollouts go on", "Removes spec.rollout.paused, which Git may set again.")
    _output(command("history", "list the revisions that are kept"))
    comparing = command("diff", "show what differs between two revisions", "Secrets are left out.")
    comparing.add_argument("first", nargs="?", metavar="A", help="number or name; default: the stable revision")
    comparing.add_argument("second", nargs="?", metavar="B", help="default: the one that the spec asks for")
    comparing.add_argument("--template", action="store_true", help="compare the pod templates, not the spec")
    arguments = root.parse_args(words)
    if getattr(arguments, "timeout", None) is not None and not arguments.watch:
        status.error("--timeout goes with --watch")
    return arguments


def flags(arguments: argparse.Namespace) -> tuple[str, ...]:
    """The global flags for kubectl, as the user gave them."""
    given = {"--namespace": arguments.namespace, "--context": arguments.context, "--kubeconfig": arguments.kubeconfig}
    return tuple(f"{flag}={value}" for flag, value in given.items() if value)


def _global_flags(parser: argparse.ArgumentParser, *, default: str | None) -> None:
    parser.add_argument("-n", "--namespace", default=default, help="default: that of the context")
    parser.add_argument("--context", default=default, help="a context of the kubeconfig")
    parser.add_argument("--kubeconfig", default=default, metavar="FILE", help="default: as for kubectl")


def _output(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-o", "--output", choices=("json",), help="for programs")


def _name(word: str) -> str:
    name = word.rpartition("/")[2] if word.startswith(("tts/", "ttsservice/", "ttsservices/")) else word
    if not NAME.fullmatch(name):
        raise argparse.ArgumentTypeError(f"{word!r} is no name of a TTSService: `kubectl get tts` lists them")
    return name


def _seconds(word: str) -> float:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smh]?)", word)
    if not match:
        raise argparse.ArgumentTypeError(f"{word!r} is no time: write 90s, 30m or 1h")
    return float(match[1]) * UNITS[match[2]]
