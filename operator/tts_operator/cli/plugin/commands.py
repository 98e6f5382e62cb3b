"""The commands about the plugin itself."""

from __future__ import annotations

import click

from tts_operator.cli.kubectl import Kubectl
from tts_operator.cli.options import CONTEXT_SETTINGS, command, output_option


@command
@click.option("--client", is_flag=True, help="Only the plugin's version, without the cluster.")
@output_option()
def version(kubectl: Kubectl, *, client: bool, output: str | None) -> int:
    """Print the versions of the plugin, the operator, and Kubernetes."""
    from tts_operator.cli.plugin import versions  # noqa: PLC0415 - the other commands start without it

    return versions.run(kubectl, output, client=client)


@click.command(context_settings=CONTEXT_SETTINGS)
@click.argument("shell", metavar="SHELL", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> int:
    """Print the completion script of a shell: bash, zsh, or fish.

    It completes `kubectl-tts`. `kubectl tts` needs no script: kubectl's own completion, from version 1.26, asks the
    plugin through kubectl_complete-tts, which is installed beside it.
    """
    from tts_operator.cli.completion import script  # noqa: PLC0415 - the other commands start without it

    click.echo(script(shell))
    return 0
