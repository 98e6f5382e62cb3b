"""`spec.model`: the voice model, and the storage of its files."""

from typing import Annotated, Literal

from pydantic import Field

from tts_operator.api.schema import ATOMIC, SET, ApiModel, Quantity, rule, rules

VoiceName = Annotated[str, Field(min_length=1, max_length=63, pattern=r"^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$")]


class EmptyDir(ApiModel):
    """Storage on the node that is deleted with the pod. Each new pod downloads the model again."""

    size_limit: Quantity = "10Gi"
    """Maximum size of the model's files. A pod that exceeds it is evicted."""


class ModelClaim(ApiModel):
    """A volume that all pods share, so that the model is downloaded once. The operator manages the claim."""

    model_config = {
        "json_schema_extra": rules(
            rule(
                "has(self.storageClassName) == has(oldSelf.storageClassName)"
                " && (!has(self.storageClassName) || self.storageClassName == oldSelf.storageClassName)"
                " && self.accessModes == oldSelf.accessModes",
                "storageClassName and accessModes of a claim cannot change: remove model.storage, wait until the "
                "TTSService is Ready, then set it again",
            ),
            rule(
                "quantity(string(self.size)).compareTo(quantity(string(oldSelf.size))) >= 0",
                "model.storage.persistentVolumeClaim.size can only grow: set it to at least its previous value",
            ),
        )
    }

    size: Quantity = "10Gi"
    """Size of the volume."""
    storage_class_name: str | None = Field(None, min_length=1, max_length=253)
    """StorageClass of the volume. Default: the cluster's default class."""
    access_modes: list[Literal["ReadWriteMany", "ReadWriteOnce", "ReadOnlyMany"]] = Field(
        ["ReadWriteMany"], min_length=1, max_length=3, json_schema_extra=ATOMIC
    )
    """Access modes of the volume. Pods on several nodes need ReadWriteMany."""


class Storage(ApiModel):
    """Storage of the files of a model that is not part of the image. Default: an emptyDir."""

    model_config = {
        "json_schema_extra": rules(
            rule(
                "!(has(self.emptyDir) && has(self.persistentVolumeClaim))",
                "set either model.storage.emptyDir or model.storage.persistentVolumeClaim, not both",
            ),
        )
    }

    empty_dir: EmptyDir | None = None
    """Storage on the node that is deleted with the pod. Each new pod downloads the model again."""
    persistent_volume_claim: ModelClaim | None = None
    """A volume that all pods share, so that the model is downloaded once. The operator creates the claim. When you
    remove this field, it deletes the claim with its data."""


class Model(ApiModel):
    """The voice model of the service."""

    model_config = {
        "json_schema_extra": rules(
            rule(
                "self.engine == 'fastspeech2' || (has(self.name) && has(self.revision))",
                "model.engine modelscope needs model.name and model.revision: set the model's id on the hub, and the "
                "revision to run, such as v1.0.1",
            ),
            rule(
                "self.engine != 'fastspeech2' || !(has(self.revision) || has(self.storage))",
                "model.revision and model.storage have no effect with engine fastspeech2, whose model is part of the "
                "image: remove them, or set model.engine: modelscope",
            ),
            rule(
                "!has(self.defaultVoice) || !has(self.voices) || self.defaultVoice in self.voices",
                "model.defaultVoice must be one of model.voices: add it there, or choose one of them",
            ),
        )
    }

    engine: Literal["fastspeech2", "modelscope"] = "fastspeech2"
    """The synthesis engine. `fastspeech2` is part of the server image and loads in seconds. `modelscope` runs models of
    the ModelScope hub, such as Sambert-HifiGAN; its image is built from Dockerfile.modelscope."""
    name: str | None = Field(
        None, max_length=200, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)?$"
    )
    """ID of the model on the hub, such as damo/speech_sambert-hifigan_tts_zh-cn_16k. Clients may send it as `model`.
    Default: the name of the engine."""
    revision: str | None = Field(None, max_length=100, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    """Revision of the model on the hub. It is pinned; changing it starts a rollout."""
    voices: list[VoiceName] = Field([], max_length=64, json_schema_extra=SET)
    """Voices to load and offer. Default: all voices of the model."""
    default_voice: VoiceName | None = None
    """Voice of requests that name none. Default: the model's first voice."""
    storage: Storage | None = None
    """Storage of the files of a model that is not part of the image. Default: an emptyDir."""
