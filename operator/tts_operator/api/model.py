"""`spec.model`: which model speaks, and where its files are kept."""

from typing import Annotated, Literal

from pydantic import Field

from tts_operator.api.schema import ATOMIC, SET, ApiModel, Quantity, rule, rules

VoiceName = Annotated[str, Field(min_length=1, max_length=63, pattern=r"^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$")]


class EmptyDir(ApiModel):
    """Space of the node that lives as long as the pod: each new pod fetches the model again."""

    size_limit: Quantity = "10Gi"
    """Most that the model's files may take; a pod that takes more is evicted."""


class ModelClaim(ApiModel):
    """A volume that all pods share: the model is fetched once. The operator makes the claim, and deletes it again."""

    model_config = {
        "json_schema_extra": rules(
            rule(
                "has(self.storageClassName) == has(oldSelf.storageClassName)"
                " && (!has(self.storageClassName) || self.storageClassName == oldSelf.storageClassName)"
                " && self.accessModes == oldSelf.accessModes",
                "storageClassName and accessModes of a claim cannot change: remove model.storage, wait until the "
                "TTSService is Ready, then set it anew",
            ),
            rule(
                "quantity(string(self.size)).compareTo(quantity(string(oldSelf.size))) >= 0",
                "model.storage.persistentVolumeClaim.size can only grow: set it to at least what it was",
            ),
        )
    }

    size: Quantity = "10Gi"
    """Size of the volume."""
    storage_class_name: str | None = Field(None, min_length=1, max_length=253)
    """Class of the volume; left out, it is the cluster's default class."""
    access_modes: list[Literal["ReadWriteMany", "ReadWriteOnce", "ReadOnlyMany"]] = Field(
        ["ReadWriteMany"], min_length=1, max_length=3, json_schema_extra=ATOMIC
    )
    """How the volume can be mounted. Pods on several nodes need ReadWriteMany."""


class Storage(ApiModel):
    """Where the files of a model that is not part of the image are kept. Left out, it is an emptyDir."""

    model_config = {
        "json_schema_extra": rules(
            rule(
                "!(has(self.emptyDir) && has(self.persistentVolumeClaim))",
                "set either model.storage.emptyDir or model.storage.persistentVolumeClaim, not both",
            ),
        )
    }

    empty_dir: EmptyDir | None = None
    """Space of the node that lives as long as the pod: each new pod fetches the model again."""
    persistent_volume_claim: ModelClaim | None = None
    """A volume that all pods share, so that the model is fetched once. The operator makes the claim, and deletes it,
    with what is on it, when it is no longer asked for."""


class Model(ApiModel):
    """Which voice model the service speaks with."""

    model_config = {
        "json_schema_extra": rules(
            rule(
                "self.engine == 'fastspeech2' || (has(self.name) && has(self.revision))",
                "model.engine modelscope needs model.name and model.revision: write the id of the model on the hub and "
                "the revision that is to run, such as v1.0.1",
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
    """The engine that synthesises. `fastspeech2` is part of the server image and loads in seconds. `modelscope`
    runs models of the ModelScope hub, such as Sambert-HifiGAN; its image is built from Dockerfile.modelscope."""
    name: str | None = Field(
        None, max_length=200, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)?$"
    )
    """Id of the model on the hub, such as damo/speech_sambert-hifigan_tts_zh-cn_16k. Clients may send it as `model` in
    a request; left out, the name of the engine stands for it."""
    revision: str | None = Field(None, max_length=100, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    """Revision of the model on the hub. It is pinned: a change of it is a rollout."""
    voices: list[VoiceName] = Field([], max_length=64, json_schema_extra=SET)
    """Voices that are loaded and offered; all of the model if left out."""
    default_voice: VoiceName | None = None
    """Voice of requests that name none; the model's first one if left out."""
    storage: Storage | None = None
    """Where the files of a model that is not part of the image are kept. Left out, it is an emptyDir."""
