"""The command line of the plugin."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence

from tts_operator.cli.jobs import arguments as jobs

EXAMPLES = """\
examples:
  kubectl tts status narrator --watch --timeout 30m   follow a rollout until it is over
  kubectl tts promote narrator                        continue a canary, or switch a blue/green rollout
  kubectl tts promote narrator --full                 complete the rollout without further pauses
  kubectl tts abort narrator                          return all traffic to the stable revision
  kubectl tts history narrator                        list the revisions
  kubectl tts diff narrator 4 5                       compare two revisions
  kubectl tts undo narrator --to 4                    run an older revision again
  kubectl tts pause narrator -n speech                pause rollouts; `resume` continues them
  kubectl tts job submit book.txt -o book.mp3 --watch   have a book read, and save the audio
  kubectl tts job list                                  list your jobs

exit codes:
  0    success; status --watch: rolled out; job --watch: completed
  1    status --watch: rolled back or stalled; job --watch: failed or cancelled
  2    invalid command line
  3    refused: nothing was changed; the message says why
  4    kubectl is missing, or the cluster or the server did not answer or returned an error
  124  --watch: still in progress at --timeout
  130  interrupted
"""
UNITS = {"": 1, "s": 1, "m": 60, "h": 3600}
NAME = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")


def parse(words: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line. Exits with code 2 if it is invalid."""
    root = argparse.ArgumentParser(
        prog="kubectl tts",
        description="Control the rollouts of a TTSService, and have it read long texts.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _global_flags(root, default=None)
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("name", metavar="NAME", type=_name, help="name of the TTSService")
    _global_flags(common, default=argparse.SUPPRESS)
    commands = root.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name: str, text: str, more: str = "") -> argparse.ArgumentParser:
        return commands.add_parser(
            name, help=text, description=f"{text[0].upper()}{text[1:]}. {more}", parents=[common]
        )

    status = command("status", "show the progress of a rollout")
    status.add_argument("-w", "--watch", action="store_true", help="print each change until the rollout is over")
    status.add_argument(
        "--timeout",
        type=_seconds,
        metavar="TIME",
        help="with --watch: stop after this time, such as 90s or 30m (default: never)",
    )
    _output(status)
    promoting = command("promote", "continue a rollout that waits at a step", "The checks of each step still apply.")
    promoting.add_argument("--full", action="store_true", help="complete the rollout without further pauses")
    command("abort", "roll back to the stable revision", "Does not change the spec, nor its source in Git.")
    undoing = command("undo", "run an older revision again", "Does not change the spec, nor its source in Git.")
    target = undoing.add_mutually_exclusive_group()
    target.add_argument(
        "--to", metavar="NUMBER", help="a revision from `history` (default: the one before the running revision)"
    )
    target.add_argument("--clear", action="store_true", help="end an undo, and run what the spec asks for")
    command("pause", "pause rollouts", "Sets spec.rollout.paused, which a GitOps sync may revert.")
    command("resume", "resume rollouts", "Removes spec.rollout.paused, which a GitOps sync may set again.")
    _output(command("history", "list the stored revisions"))
    comparing = command("diff", "show the differences between two revisions", "Hides secrets.")
    comparing.add_argument("first", nargs="?", metavar="A", help="number or name (default: the stable revision)")
    comparing.add_argument(
        "second", nargs="?", metavar="B", help="number or name (default: the revision that the spec asks for)"
    )
    comparing.add_argument("--template", action="store_true", help="compare the pod templates instead of the specs")
    job = _jobs(commands)
    arguments = root.parse_args(words)
    if arguments.command == "job":
        jobs.check(arguments, job.error)
    elif getattr(arguments, "timeout", None) is not None and not arguments.watch:
        status.error("--timeout requires --watch")
    return arguments


def _jobs(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> argparse.ArgumentParser:
    """Add `job` and its commands."""
    text = "have long texts read, such as books"
    job = commands.add_parser("job", help=text, description=f"{text[0].upper()}{text[1:]}.")
    common = argparse.ArgumentParser(add_help=False)
    _global_flags(common, default=argparse.SUPPRESS)
    common.add_argument("--service", type=_name, metavar="NAME", help="default: the only TTSService of the namespace")
    common.add_argument("--key-name", metavar="NAME", help="the API key of this name in the service's Secret")
    job_commands = job.add_subparsers(dest="job_command", required=True, metavar="COMMAND")

    def command(name: str, text: str) -> argparse.ArgumentParser:
        return job_commands.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.", parents=[common])

    jobs.add(command, _seconds)
    return job


def flags(arguments: argparse.Namespace) -> tuple[str, ...]:
    """The global flags for kubectl, as the user gave them."""
    given = {"--namespace": arguments.namespace, "--context": arguments.context, "--kubeconfig": arguments.kubeconfig}
    return tuple(f"{flag}={value}" for flag, value in given.items() if value)


def _global_flags(parser: argparse.ArgumentParser, *, default: str | None) -> None:
    parser.add_argument("-n", "--namespace", default=default, help="default: the namespace of the context")
    parser.add_argument("--context", default=default, help="the kubeconfig context to use")
    parser.add_argument("--kubeconfig", default=default, metavar="FILE", help="default: as for kubectl")


def _output(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-o", "--output", choices=("json",), help="print JSON, for programs")


def _name(word: str) -> str:
    name = word.rpartition("/")[2] if word.startswith(("tts/", "ttsservice/", "ttsservices/")) else word
    if not NAME.fullmatch(name):
        raise argparse.ArgumentTypeError(f"{word!r} is not a valid TTSService name; run `kubectl get tts` to list them")
    return name


def _seconds(word: str) -> float:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smh]?)", word)
    if not match:
        raise argparse.ArgumentTypeError(f"{word!r} is not a valid duration; write 90s, 30m, or 1h")
    return float(match[1]) * UNITS[match[2]]
