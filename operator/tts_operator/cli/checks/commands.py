"""The commands that find what is wrong."""

from __future__ import annotations

from tts_operator.cli.kubectl import Kubectl
from tts_operator.cli.options import command, output_option


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
