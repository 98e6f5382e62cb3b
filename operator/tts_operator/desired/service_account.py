"""The ServiceAccount of the pods: an identity for image pulls and policies, without a token or rights."""

from tts_operator.api import TTSService
from tts_operator.desired.identity import manifest
from tts_operator.json_object import Json


def service_account(service: TTSService) -> Json:
    """The ServiceAccount that the pods run under."""
    return manifest(service, "v1", "ServiceAccount", automountServiceAccountToken=False)
