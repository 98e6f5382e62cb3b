"""The commands that show TTSServices."""

from __future__ import annotations

import click

from tts_operator.cli.kubectl import Kubectl
from tts_operator.cli.options import SERVICE_NAME, command, output_option, service_argument, watch_options
from tts_operator.cli.wording import Typed


@command
@click.argument("names", metavar="[NAME]...", type=SERVICE_NAME, nargs=-1)
@click.option("-A", "--all-namespaces", is_flag=True, help="The services of all namespaces.")
@click.option("-l", "--selector", metavar="LABELS", help="Only services with these labels, such as team=audio.")
@click.option("--problems", is_flag=True, help="Only services that need attention.")
@output_option("json", "yaml", "wide")
def get(
    kubectl: Kubectl,
    names: tuple[str, ...],
    *,
    all_namespaces: bool,
    selector: str | None,
    problems: bool,
    output: str | None,
) -> int:
    """List TTSServices: what each does now, and which need attention."""
    from tts_operator.cli.services import listing  # noqa: PLC0415 - the other commands start without it

    if names and (all_namespaces or selector):
        raise click.UsageError("a NAME does not go together with -A or -l: it is in one namespace")
    wanted = listing.Wanted(names=names, everywhere=all_namespaces, selector=selector, only_problems=problems)
    return listing.run(kubectl, wanted, output)


@command
@service_argument
@watch_options
@output_option()
def status(kubectl: Kubectl, name: str, *, watch: bool, timeout: float | None, output: str | None) -> int:
    """Show a service, its pods and objects, and what to do next.

    With --watch, print a line for each change of a rollout until it is over.
    """
    if timeout is not None and not watch:
        raise click.UsageError("--timeout requires --watch")
    typed = Typed(name=name, flags=kubectl.flags)
    if watch:
        if output == "yaml":
            raise click.UsageError("--watch prints JSON, one document per line: write -o json")
        from tts_operator.cli.services.watch import watch as follow  # noqa: PLC0415 - the others start without it

        return follow(kubectl, typed, timeout=timeout, as_json=output == "json")
    from tts_operator.cli.services import overview  # noqa: PLC0415 - the other commands start without it

    return overview.run(kubectl, typed, output)
