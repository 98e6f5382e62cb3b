"""The container of a backend that the operator runs, and its volumes."""

from typing import Annotated, Literal

from pydantic import Field

from tts_operator.api.references import ConfigMapKeyReference, SecretKeyReference
from tts_operator.api.schema import ATOMIC, INT32, INT64, ApiModel, Quantity, map_by, rule, rules

Name = Annotated[str, Field(min_length=1, max_length=63, pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")]
VolumeName = Annotated[str, Field(min_length=1, max_length=50, pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")]
ImageReference = Annotated[str, Field(min_length=1, max_length=512, pattern=r"^[a-zA-Z0-9][a-zA-Z0-9._:@/-]*$")]
ResourceList = Annotated[dict[str, Quantity], Field(max_length=16)]
Text = Annotated[str, Field(max_length=8192)]


class EnvVarSource(ApiModel):
    """Where the value of a variable comes from."""

    model_config = {
        "json_schema_extra": rules(
            rule(
                "has(self.secretKeyRef) != has(self.configMapKeyRef)",
                "valueFrom of a variable of backend needs either secretKeyRef or configMapKeyRef",
            ),
        )
    }

    secret_key_ref: SecretKeyReference | None = None
    """A key of a Secret."""
    config_map_key_ref: ConfigMapKeyReference | None = None
    """A key of a ConfigMap."""


class EnvVar(ApiModel):
    """An environment variable."""

    model_config = {
        "json_schema_extra": rules(
            rule(
                "!(has(self.value) && has(self.valueFrom))",
                "a variable of backend has either a value or valueFrom, not both",
            ),
        )
    }

    name: str = Field(min_length=1, max_length=253, pattern=r"^[-._a-zA-Z][-._a-zA-Z0-9]*$")
    """Name of the variable."""
    value: Text | None = None
    """Its value. Default: empty, unless valueFrom is set."""
    value_from: EnvVarSource | None = None
    """Where the value comes from instead."""


class VolumeMount(ApiModel):
    """Where a volume is mounted."""

    name: VolumeName
    """Name of one of backend.volumes."""
    mount_path: str = Field(min_length=1, max_length=512, pattern=r"^/[^:]*$")
    """Path in the container."""
    sub_path: str | None = Field(None, min_length=1, max_length=512)
    """Path inside the volume. Default: its root."""
    read_only: bool = False
    """Whether the container can only read it."""


class ContainerResourceClaim(ApiModel):
    """A claim that the container uses (dynamic resource allocation)."""

    name: Name
    """Name of one of backend.resourceClaims."""
    request: str | None = Field(None, min_length=1, max_length=63)
    """Name of one request in the claim. Default: all of them."""


class BackendResources(ApiModel):
    """Compute resources of the container, as in core/v1."""

    requests: ResourceList = {}
    """Guaranteed resources, such as cpu and memory. Default: the limits."""
    limits: ResourceList = {}
    """Maximum resources, such as cpu, memory, and nvidia.com/gpu. A container without a limit for memory can take the
    node's."""
    claims: list[ContainerResourceClaim] = Field([], max_length=8, json_schema_extra=map_by("name"))
    """Claims that the container uses, of backend.resourceClaims."""


class BackendContainer(ApiModel):
    """The container of the backend.

    It must meet the restricted Pod Security Standard, unless the operator's policy allows more.
    """

    image: ImageReference
    """Image reference, with a tag or better a digest. The operator's policy must allow the repository."""
    image_pull_policy: Literal["Always", "IfNotPresent", "Never"] = "IfNotPresent"
    """When the kubelet pulls the image. Secrets for pulling it are those of image.pullSecrets."""
    command: list[Text] = Field([], max_length=64, json_schema_extra=ATOMIC)
    """Command. Default: that of the image. For triton without args: tritonserver with the models in /models."""
    args: list[Text] = Field([], max_length=64, json_schema_extra=ATOMIC)
    """Arguments of the command. Default: those of the image."""
    env: list[EnvVar] = Field([], max_length=64, json_schema_extra=map_by("name"))
    """Environment variables."""
    port: int | None = Field(None, ge=1, le=65535, json_schema_extra=INT32)
    """Port that the server connects to: HTTP for upstream, gRPC for triton. Default: 8000 for upstream, 8001 for
    triton."""
    metrics_port: int | None = Field(None, ge=1, le=65535, json_schema_extra=INT32)
    """Port that serves /metrics to Prometheus, for a PodMonitor if monitoring.podMonitor.enabled. If it equals
    `port`, networkPolicy.enabled keeps Prometheus out. Default: 8002 for triton, none for upstream."""
    readiness_path: str | None = Field(None, min_length=1, max_length=512, pattern=r"^/[!-~]*$")
    """Path that the kubelet asks until it answers GET with 200. Default: that of backend.upstream.readinessPath, or
    /v2/health/ready for triton."""
    readiness_port: int | None = Field(None, ge=1, le=65535, json_schema_extra=INT32)
    """Port of readinessPath. Default: port for upstream, 8000 for triton."""
    load_seconds: int = Field(3600, ge=1, le=86400, json_schema_extra=INT32)
    """How long the container may take to download and load its model before it is restarted. A rollout gives up after
    rollout.progressDeadlineSeconds."""
    resources: BackendResources = Field(default_factory=BackendResources)
    volume_mounts: list[VolumeMount] = Field([], max_length=32, json_schema_extra=map_by("mountPath"))
    """Where the volumes of backend.volumes are mounted."""
    run_as_user: int | None = Field(None, ge=1, le=2147483647, json_schema_extra=INT64)
    """ID of the user that the container runs as, other than root. Default: 10001."""


class ClaimVolume(ApiModel):
    """A PersistentVolumeClaim that exists."""

    claim_name: str = Field(min_length=1, max_length=253)
    """Name of the claim. Pods on several nodes need one with the access mode ReadWriteMany or ReadOnlyMany."""
    read_only: bool = False
    """Whether all mounts are read-only."""


class ImageVolume(ApiModel):
    """The files of an OCI image or artifact. Stable in Kubernetes 1.36."""

    reference: ImageReference
    """Image reference. The operator's policy must allow the repository."""
    pull_policy: Literal["Always", "IfNotPresent", "Never"] = "IfNotPresent"
    """When the kubelet pulls it."""


class EmptyDirVolume(ApiModel):
    """Storage that is deleted with the pod."""

    medium: Literal["Memory"] | None = None
    """Memory: a tmpfs, such as for /dev/shm. It counts toward the limit for memory. Default: the node's disk."""
    size_limit: Quantity | None = None
    """Maximum size. A pod that exceeds it is evicted."""


class Volume(ApiModel):
    """A volume of the backend's pods."""

    model_config = {
        "json_schema_extra": rules(
            rule(
                "[has(self.persistentVolumeClaim), has(self.image), has(self.emptyDir)].filter(x, x).size() == 1",
                "a volume in backend.volumes is exactly one of persistentVolumeClaim, image, or emptyDir",
            ),
        )
    }

    name: VolumeName
    """Name of the volume."""
    persistent_volume_claim: ClaimVolume | None = None
    """A PersistentVolumeClaim that exists."""
    image: ImageVolume | None = None
    """The files of an OCI image or artifact."""
    empty_dir: EmptyDirVolume | None = None
    """Storage that is deleted with the pod."""


class PodResourceClaim(ApiModel):
    """A claim of the pods, such as for a GPU (dynamic resource allocation)."""

    model_config = {
        "json_schema_extra": rules(
            rule(
                "has(self.resourceClaimName) != has(self.resourceClaimTemplateName)",
                "each of backend.resourceClaims has either resourceClaimName, which all pods share, or "
                "resourceClaimTemplateName, which gives each pod its own",
            ),
        )
    }

    name: Name
    """Name by which the container uses it."""
    resource_claim_name: str | None = Field(None, min_length=1, max_length=253)
    """Name of a ResourceClaim that all pods share."""
    resource_claim_template_name: str | None = Field(None, min_length=1, max_length=253)
    """Name of a ResourceClaimTemplate, which gives each pod its own claim."""
