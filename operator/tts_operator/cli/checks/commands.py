"""The commands that find what is wrong."""

from __future__ import annotations

from pathlib import Path

import click

from tts_operator.cli.kubectl import Kubectl
from tts_operator.cli.options import CONTEXT_SETTINGS, SERVICE_NAME, command, output_option


@command
@output_option()
def doctor(kubectl: Kubectl, *, output: str | None) -> int:
    """Check what the operator needs from the cluster.

    Looks at the version, the CRD, the operator and its rights, your rights, zones, metrics, ingress classes,
    cert-manager, the Gateway API, the Prometheus operator, KEDA, and the policy. For what is missing, it says who needs
    it and how to get it. It changes nothing.
    """
    from tts_operator.cli.checks import doctor as checkup  # noqa: PLC0415 - the other commands start without it

    return checkup.run(kubectl, output)


@click.command(context_settings=CONTEXT_SETTINGS)
@click.argument("files", metavar="FILE...", nargs=-1, required=True)
@click.option(
    "--policy",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The operator's policy: the Helm values with `policy`, or a policy.yaml. Default: the chart's default.",
)
@click.option("-n", "--namespace", default="default", metavar="NAME", help="For manifests without one, for the policy.")
@output_option()
def lint(files: tuple[str, ...], *, policy: Path | None, namespace: str, output: str | None) -> int:
    """Check manifests of TTSServices without a cluster.

    Checks the fields, the rules between them (the CEL rules of the CRD), and the operator's policy, also for the pods
    that follow from the spec. - reads the standard input. Other objects are skipped.
    """
    from tts_operator.cli.checks import lint as linter  # noqa: PLC0415 - the other commands start without it

    return linter.run(files, policy, namespace, output)


@command
@click.argument("name", metavar="[NAME]", type=SERVICE_NAME, required=False)
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), metavar="FILE", help="Default: kubectl-tts-report-TIME.zip."
)
def report(kubectl: Kubectl, name: str | None, *, output: Path | None) -> int:
    """Collect everything for a bug report in an archive, without secrets.

    Versions, findings of `doctor`, TTSServices, their objects, events, and logs, of one service or of the namespace. It
    reads no Secret, and hides what looks like one.
    """
    from tts_operator.cli.checks import report as reporting  # noqa: PLC0415 - the other commands start without it

    return reporting.run(kubectl, name, output)
