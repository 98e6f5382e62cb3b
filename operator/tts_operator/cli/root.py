"""The command tree. A command's module is imported when the command runs, so `--help` and completion stay fast."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

import click

from tts_operator.cli.options import CONTEXT_SETTINGS, cluster_options

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

EXIT_CODES = (
    ("0", "success; status --watch: rolled out; job --watch: completed; doctor, lint: nothing to repair"),
    ("1", "status --watch: rolled back or stalled; job --watch: failed or cancelled; doctor, lint: problems found"),
    ("2", "invalid command line"),
    ("3", "refused: nothing was changed; the message says why and what to do instead"),
    ("4", "kubectl is missing, or the cluster or the server did not answer or returned an error"),
    ("70", "a bug in the plugin; the message says where the details are"),
    ("124", "--watch: still in progress at --timeout"),
    ("130", "interrupted"),
)
EXAMPLES = (
    ("kubectl tts get -A", "list the services of all namespaces"),
    ("kubectl tts status narrator", "show a service, and what to do next"),
    ("kubectl tts status narrator --watch --timeout 30m", "follow a rollout until it is over"),
    ("kubectl tts say narrator '你好' -o hello.mp3", "have a text spoken"),
    ("kubectl tts promote narrator", "continue a canary, or switch a blue/green rollout"),
    ("kubectl tts abort narrator", "return all traffic to the stable revision"),
    ("kubectl tts undo narrator --to 4", "run an older revision again"),
    ("kubectl tts job submit book.txt -o book.mp3 --watch", "have a book read, and save the audio"),
    ("kubectl tts lint narrator.yaml", "check a manifest without a cluster"),
    ("kubectl tts doctor", "check what the cluster offers, and what is missing"),
)
SECTIONS: dict[str, dict[str, tuple[str, str]]] = {
    "See": {
        "get": ("services", "List TTSServices: what each does now, and which need attention."),
        "status": ("services", "Show a service, its pods and objects, and what to do next."),
        "top": ("services", "Show requests, latency, real-time factor, queue, cache, and cost."),
        "logs": ("services", "Show the logs of all pods of a service, in the order of time."),
    },
    "Speak": {
        "say": ("speech", "Have a service speak a text, and save or play the audio."),
        "voices": ("speech", "List the voices of a service and their emotions."),
        "phonemes": ("speech", "Show how a service reads a text, and why."),
        "job": ("jobs", "Have long texts read, such as books."),
    },
    "Write": {
        "new": ("write", "Ask a few questions, and write a commented TTSService."),
        "lint": ("checks", "Check manifests of TTSServices without a cluster."),
    },
    "Roll out": {
        "promote": ("rollouts", "Continue a rollout that waits at a step."),
        "abort": ("rollouts", "Roll back to the stable revision."),
        "undo": ("rollouts", "Run an older revision again."),
        "pause": ("rollouts", "Pause rollouts."),
        "resume": ("rollouts", "Resume rollouts."),
        "history": ("rollouts", "List the stored revisions."),
        "diff": ("rollouts", "Show the differences between two revisions."),
    },
    "Repair": {
        "doctor": ("checks", "Check what the operator needs from the cluster."),
        "report": ("checks", "Collect everything for a bug report in an archive, without secrets."),
        "version": ("plugin", "Print the versions of the plugin, the operator, and Kubernetes."),
        "completion": ("plugin", "Print the completion script of a shell: bash, zsh, or fish."),
    },
}
"""Commands by section: the package whose `commands` module defines each, and its line in `--help`."""
COMMANDS = {name: found for section in SECTIONS.values() for name, found in section.items()}


class LazyGroup(click.Group):
    """A group that imports a command when it is called for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names, in the order of the help."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        package, _ = COMMANDS[cmd_name]
        module = importlib.import_module(f"tts_operator.cli.{package}.commands")
        command: click.Command = getattr(module, cmd_name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find a command. For a name that is none, say which may be meant."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            import difflib  # noqa: PLC0415 - rarely needed

            near = difflib.get_close_matches(args[0], COMMANDS, 3)
            meant = f" Did you mean {' or '.join(near)}?" if near else ""
            raise click.UsageError(f"there is no command {args[0]!r}.{meant}", ctx) from error

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete the names without importing the commands."""
        from click.shell_completion import CompletionItem  # noqa: PLC0415 - only where a shell asks

        names = [CompletionItem(name, help=text) for name, (_, text) in COMMANDS.items() if name.startswith(incomplete)]
        return [*names, *click.Command.shell_complete(self, ctx, incomplete)]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the sections."""
        del ctx
        for section, commands in SECTIONS.items():
            with formatter.section(section):
                formatter.write_dl([(name, text) for name, (_, text) in commands.items()])

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write examples and exit codes."""
        del ctx
        for title, rows in (("Examples", EXAMPLES), ("Exit codes", EXIT_CODES)):
            with formatter.section(title):
                formatter.write_dl(rows, col_max=60)


@click.group(name="kubectl tts", cls=LazyGroup, context_settings=CONTEXT_SETTINGS)
@cluster_options
def root() -> None:
    """Look after TTSServices: see them, roll out new versions, have texts read, and find what is wrong."""
