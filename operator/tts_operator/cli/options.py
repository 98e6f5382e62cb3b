"""What the commands' options have in common: names, times, the flags for kubectl, and the format of the output."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec, TypeVar

import click

from tts_operator.cli.kubectl import Kubectl
from tts_operator.cli.refused import RefusedError, UnreachableError

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")
Function = TypeVar("Function", bound=Callable[..., Any])

CONTEXT_SETTINGS: dict[str, Any] = {"help_option_names": ["-h", "--help"], "max_content_width": 110}
UNITS = {"": 1, "s": 1, "m": 60, "h": 3600}
NAME = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")
FLAGS = ("namespace", "context", "kubeconfig")
KEY = "tts_operator.cli.flags"
COMPLETION_SECONDS = 5.0
"""Limit for kubectl while the user waits for the completion of a word."""


class ServiceName(click.ParamType[str]):
    """The name of a TTSService, also as kubectl writes it: `tts/narrator`."""

    name = "name"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the bare name."""
        plain = value.rpartition("/")[2] if value.startswith(("tts/", "ttsservice/", "ttsservices/")) else value
        if not NAME.fullmatch(plain):
            self.fail(f"{value!r} is not a valid TTSService name; run `kubectl get tts` to list them", param, ctx)
        return plain

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[click.shell_completion.CompletionItem]:
        """Ask the cluster for the names. Without an answer, there are none."""
        from click.shell_completion import CompletionItem  # noqa: PLC0415 - only where a shell asks

        del param
        try:
            names = Kubectl(flags=flags(ctx), seconds=COMPLETION_SECONDS).names()
        except (RefusedError, UnreachableError):
            return []
        return [CompletionItem(each) for each in names if each.startswith(incomplete)]


class Duration(click.ParamType[float]):
    """A time such as `90s`, in seconds."""

    name = "time"

    def convert(self, value: str | float, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return seconds."""
        if isinstance(value, (int, float)):
            return float(value)
        match = re.fullmatch(r"(\d{1,9}(?:\.\d{1,9})?)([smh]?)", value, re.ASCII)
        if not match:
            self.fail(f"{value!r} is not a valid duration; write 90s, 30m, or 1h", param, ctx)
        return float(match[1]) * UNITS[match[2]]


SERVICE_NAME, DURATION = ServiceName(), Duration()


def flags(ctx: click.Context) -> tuple[str, ...]:
    """The flags for kubectl, as the user gave them before or after the command."""
    given: dict[str, str] = ctx.meta.get(KEY, {})
    return tuple(f"--{name}={given[name]}" for name in FLAGS if given.get(name))


def cluster_options(function: Function) -> Function:
    """Add the options that choose the cluster and the namespace. They may stand before and after the command."""
    for option in (
        click.option(
            "--kubeconfig", metavar="FILE", expose_value=False, callback=_remember, help="Default: as for kubectl."
        ),
        click.option(
            "--context", metavar="NAME", expose_value=False, callback=_remember, help="The kubeconfig context to use."
        ),
        click.option(
            "-n",
            "--namespace",
            metavar="NAME",
            expose_value=False,
            callback=_remember,
            help="Default: the namespace of the context.",
        ),
    ):
        function = option(function)
    return function


def _remember(ctx: click.Context, param: click.Parameter, value: str | None) -> None:
    if value and param.name:
        ctx.meta.setdefault(KEY, {})[param.name] = value


def command(function: Callable[Concatenate[Kubectl, Parameters], int]) -> click.Command:
    """Make a command. Its function gets kubectl with the user's flags first, and returns the exit code."""

    @functools.wraps(function)
    def run(*args: Parameters.args, **kwargs: Parameters.kwargs) -> int:
        return function(Kubectl(flags=flags(click.get_current_context())), *args, **kwargs)

    return click.command(context_settings=CONTEXT_SETTINGS)(cluster_options(run))


def service_argument(function: Function) -> Function:
    """Add the argument NAME."""
    return click.argument("name", metavar="NAME", type=SERVICE_NAME)(function)


def output_option(*formats: str) -> Callable[[Function], Function]:
    """Add `-o`, for programs."""
    choices = formats or ("json", "yaml")
    return click.option("-o", "--output", type=click.Choice(choices), help="Print a document, for programs.")


def watch_options(function: Function) -> Function:
    """Add `--watch` and `--timeout`."""
    limit = click.option(
        "--timeout", type=DURATION, metavar="TIME", help="With --watch: stop after this time, such as 90s or 30m."
    )
    watch = click.option("-w", "--watch", is_flag=True, help="Print each change until it is over.")
    return watch(limit(function))
