"""The commands that show TTSServices."""

from __future__ import annotations

from dataclasses import replace

import click

from tts_operator.cli.kubectl import Kubectl
from tts_operator.cli.options import DURATION, SERVICE_NAME, command, output_option, service_argument, watch_options
from tts_operator.cli.wording import Typed

LEVELS = ("debug", "info", "warning", "error", "critical")
MEASURED_MIN, MEASURED_MAX = 0.5, 300.0
"""Seconds."""


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


@command
@service_argument
@click.option("-f", "--follow", is_flag=True, help="Go on with what is written from now on.")
@click.option(
    "--tail", type=click.IntRange(-1, 1_000_000), default=100, metavar="N", help="Lines of each pod; -1: all."
)
@click.option("--since", metavar="TIME", help="Only lines of this time, such as 10m.")
@click.option("--level", type=click.Choice(LEVELS), default="debug", help="Only lines of this level or above.")
@click.option("--workers", is_flag=True, help="The workers of jobs instead of the servers.")
@click.option("--backend", is_flag=True, help="What makes the sound instead of the servers: spec.backend.")
@click.option("--operator", is_flag=True, help="What the operator has written about the service.")
@output_option("json")
def logs(
    kubectl: Kubectl,
    name: str,
    *,
    follow: bool,
    tail: int,
    since: str | None,
    level: str,
    workers: bool,
    backend: bool,
    operator: bool,
    output: str | None,
) -> int:
    """Show the logs of all pods of a service, in the order of time."""
    from tts_operator.cli.services import logs as lines  # noqa: PLC0415 - the other commands start without it

    if workers + backend + operator > 1:
        raise click.UsageError("--workers, --backend, and --operator do not go together: choose one")
    if operator:
        source = lines.of_operator(kubectl, name)
    else:
        source = lines.of_backend(kubectl, name) if backend else lines.of_pods(kubectl, name, workers=workers)
    return lines.run(kubectl, replace(source, follow=follow, tail=tail, since=since, level=level), output)


@command
@click.argument("name", metavar="[NAME]", type=SERVICE_NAME, required=False)
@click.option("--interval", type=DURATION, default=2.0, metavar="TIME", help="The time that is measured. Default: 2s.")
@click.option("--pods", "by_pod", is_flag=True, help="A line for each pod.")
@click.option("--core-price", type=click.FloatRange(0), metavar="PRICE", help="Of a core for an hour: shows the cost.")
@click.option("--memory-price", type=click.FloatRange(0), metavar="PRICE", help="Of a GiB for an hour: shows the cost.")
@click.option("--gpu-price", type=click.FloatRange(0), metavar="PRICE", help="Of a GPU for an hour: shows the cost.")
@output_option()
def top(
    kubectl: Kubectl,
    name: str | None,
    *,
    interval: float,
    by_pod: bool,
    core_price: float | None,
    memory_price: float | None,
    gpu_price: float | None,
    output: str | None,
) -> int:
    """Show requests, latency, real-time factor, queue, cache, and cost.

    The figures are those of the servers' pods, measured twice, and read through the API server. They need neither
    metrics-server nor Prometheus.
    """
    from tts_operator.cli.services import top as measured  # noqa: PLC0415 - the other commands start without it

    if not MEASURED_MIN <= interval <= MEASURED_MAX:
        raise click.UsageError(f"--interval must be from {MEASURED_MIN:g} s to {MEASURED_MAX:g} s")
    prices = measured.Prices(core=core_price, gibibyte=memory_price, gpu=gpu_price)
    return measured.run(kubectl, name, interval, prices, output, by_pod=by_pod)
