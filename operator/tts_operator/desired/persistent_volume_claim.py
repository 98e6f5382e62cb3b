"""The PersistentVolumeClaim for the model's files."""

from tts_operator.api import TTSService
from tts_operator.api.model import ModelClaim
from tts_operator.desired.identity import manifest
from tts_operator.json_object import Json


def persistent_volume_claim(service: TTSService, asked: ModelClaim) -> Json:
    """The claim that all pods mount."""
    spec: Json = {"accessModes": list(asked.access_modes), "resources": {"requests": {"storage": asked.size}}}
    if asked.storage_class_name:
        spec["storageClassName"] = asked.storage_class_name
    return manifest(service, "v1", "PersistentVolumeClaim", spec=spec)
