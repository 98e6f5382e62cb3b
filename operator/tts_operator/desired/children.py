"""All children that a TTSService wants, in the order in which they are applied."""

from dataclasses import dataclass

from tts_operator.api import Json, TTSService
from tts_operator.desired.deployment import deployment
from tts_operator.desired.pod_disruption_budget import pod_disruption_budget
from tts_operator.desired.service import service_
from tts_operator.desired.service_account import service_account


@dataclass(frozen=True, kw_only=True)
class Defaults:
    """What the operator decides where the spec is silent."""

    image: str
    """Reference of the bundled model server."""


def children(service: TTSService, defaults: Defaults) -> list[Json]:
    """The manifests of all children. What others need comes first: pods need the ServiceAccount."""
    return [
        service_account(service),
        service_(service),
        pod_disruption_budget(service),
        deployment(service, defaults.image),
    ]
