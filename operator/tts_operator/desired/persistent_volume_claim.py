"""The PersistentVolumeClaims: for the model's files, and for jobs."""

from tts_operator.api import TTSService
from tts_operator.api.jobs import JobsClaim
from tts_operator.api.model import ModelClaim
from tts_operator.desired.identity import jobs_claim_name, manifest
from tts_operator.json_object import Json


def persistent_volume_claim(service: TTSService, asked: ModelClaim) -> Json:
    """The claim for the model that all pods mount."""
    return _claim(service, asked, name=None)


def jobs_claim(service: TTSService, asked: JobsClaim) -> Json:
    """The claim for jobs that all pods mount."""
    return _claim(service, asked, name=jobs_claim_name(service))


def _claim(service: TTSService, asked: ModelClaim | JobsClaim, *, name: str | None) -> Json:
    spec: Json = {"accessModes": list(asked.access_modes), "resources": {"requests": {"storage": asked.size}}}
    if asked.storage_class_name:
        spec["storageClassName"] = asked.storage_class_name
    return manifest(service, "v1", "PersistentVolumeClaim", name=name, spec=spec)
