"""`TTSService.spec`: what a platform team asks for. The CRD in `crds/` is generated from this file.

Every docstring below is what `kubectl explain ttsservice.spec` prints.
"""

from typing import Literal

from pydantic import Field

from tts_operator.api.schema import ApiModel, IntOrPercent, LabelKey, Quantity, StringMap, rule, rules


class Model(ApiModel):
    """Which voice model the service speaks with."""

    engine: Literal["fastspeech2"] = "fastspeech2"
    """The engine that synthesises. `fastspeech2` is embedded in the server image and loads in seconds."""


class LocalObjectReference(ApiModel):
    """The name of an object in the namespace of the TTSService."""

    name: str = Field(min_length=1, max_length=253)
    """Name of the object."""


class Image(ApiModel):
    """The container image of the model server. Left out, it is the server that the operator was released with."""

    model_config = {
        "json_schema_extra": rules(
            rule(
                "!(has(self.tag) && has(self.digest))",
                "set either image.tag or image.digest, not both: a digest already says which image it is",
            ),
            rule(
                "!(has(self.tag) || has(self.digest)) || has(self.repository)",
                "image.tag and image.digest need image.repository, the image that they belong to",
            ),
        )
    }

    repository: str | None = Field(
        None, max_length=255, pattern=r"^[a-z0-9]([a-zA-Z0-9._-]*[a-zA-Z0-9])?(:[0-9]+)?(/[a-z0-9._/-]+)?$"
    )
    """Image name without tag, for example registry.example.com/speech/tts-server."""
    tag: str | None = Field(None, pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$")
    """Tag of the image. Without tag and digest it is the operator's own version."""
    digest: str | None = Field(None, pattern=r"^sha256:[a-f0-9]{64}$")
    """Digest of the image, sha256:... It pins what runs, whatever the registry says later."""
    pull_policy: Literal["Always", "IfNotPresent", "Never"] = "IfNotPresent"
    """When the kubelet pulls the image."""
    pull_secrets: list[LocalObjectReference] = Field(
        [],
        max_length=8,
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
    )
    """Secrets of type kubernetes.io/dockerconfigjson to pull the image with."""


class Requests(ApiModel):
    """What each pod is guaranteed."""

    cpu: Quantity = "1"
    """CPU that the scheduler reserves for each pod."""
    memory: Quantity = "2Gi"
    """Memory that the scheduler reserves for each pod."""


class Limits(ApiModel):
    """What each pod may use at the most."""

    cpu: Quantity = "2"
    """CPU that each pod may use. The server runs as many synthesis threads as this has cores, rounded up."""
    memory: Quantity = "4Gi"
    """Memory above which a pod is killed."""


def _not_below(resource: str) -> dict[str, str]:
    limit, request = (f"quantity(string(self.{part}.{resource}))" for part in ("limits", "requests"))
    return rule(
        f"{limit}.compareTo({request}) >= 0",
        f"resources.limits.{resource} must be at least resources.requests.{resource}: "
        "raise the limit or lower the request",
    )


class Resources(ApiModel):
    """Compute resources of each pod."""

    model_config = {"json_schema_extra": rules(_not_below("cpu"), _not_below("memory"))}

    requests: Requests = Field(default_factory=Requests)
    limits: Limits = Field(default_factory=Limits)


class Cache(ApiModel):
    """The cache of finished speech: a text that was spoken before is not synthesised again."""

    size_mi_b: int = Field(64, ge=0, le=4096)
    """Memory for cached audio in each pod, in MiB; 0 turns the cache off. It counts against limits.memory."""


class Server(ApiModel):
    """Settings of the model server."""

    max_input_characters: int = Field(500, ge=1, le=10000)
    """Longest text of one request, in characters. A longer one is answered with a 400 that names this limit."""
    cache: Cache = Field(default_factory=Cache)
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """Level of the server's JSON logs. They never contain the text that is spoken."""


class ZoneSpread(ApiModel):
    """How the pods are spread, so that the loss of one zone leaves the service standing."""

    max_skew: int = Field(1, ge=1, le=100)
    """By how many pods two zones may differ."""
    topology_key: LabelKey = "topology.kubernetes.io/zone"
    """The node label that names the zone."""
    when_unsatisfiable: Literal["DoNotSchedule", "ScheduleAnyway"] = "DoNotSchedule"
    """Whether a pod that would break the spread waits (DoNotSchedule), or runs all the same (ScheduleAnyway)."""


class Toleration(ApiModel):
    """A taint that the pods tolerate, as in core/v1."""

    model_config = {
        "json_schema_extra": rules(
            rule(
                "!has(self.value) || !has(self.operator) || self.operator == 'Equal'",
                "a toleration with operator Exists takes no value: remove value, or set operator: Equal",
            ),
            rule(
                "has(self.key) || (has(self.operator) && self.operator == 'Exists')",
                "a toleration without key needs operator: Exists, and then tolerates every taint",
            ),
            rule(
                "!has(self.tolerationSeconds) || (has(self.effect) && self.effect == 'NoExecute')",
                "tolerationSeconds needs effect: NoExecute",
            ),
        )
    }

    key: str | None = Field(None, max_length=317)
    """Taint key; empty matches all keys, and needs operator Exists."""
    operator: Literal["Exists", "Equal"] | None = None
    """How key and value are compared; Equal if left out."""
    value: str | None = Field(None, max_length=63)
    """Taint value that operator Equal matches."""
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None
    """Taint effect to match; all if left out."""
    toleration_seconds: int | None = Field(None, json_schema_extra={"format": "int64"})
    """With NoExecute: how long a pod stays on a node once it has the taint. Seconds; for ever if left out."""


class Placement(ApiModel):
    """Where the pods may run."""

    zone_spread: ZoneSpread = Field(default_factory=ZoneSpread)
    node_selector: StringMap = {}
    """Labels that a node must have."""
    tolerations: list[Toleration] = Field([], max_length=32)
    """Taints that the pods tolerate."""
    priority_class_name: str | None = Field(None, min_length=1, max_length=253)
    """PriorityClass of the pods."""
    outage_tolerance_seconds: int = Field(5, ge=0, le=3600)
    """Seconds after which the pods of a node that is lost are replaced elsewhere. Kubernetes' own default is 300."""


class ServicePort(ApiModel):
    """The Service through which clients reach the pods."""

    type: Literal["ClusterIP", "NodePort", "LoadBalancer"] = "ClusterIP"
    """Type of the Service."""
    port: int = Field(80, ge=1, le=65535)
    """Port of the Service; it leads to the server's port 7860."""
    annotations: StringMap = {}
    """Annotations of the Service, for example for a cloud's load balancer."""


class Rollout(ApiModel):
    """How a change of model, image or settings reaches the pods."""

    model_config = {
        "json_schema_extra": rules(
            rule(
                "!(string(self.maxSurge) in ['0', '0%'] && string(self.maxUnavailable) in ['0', '0%'])",
                "rollout.maxSurge and rollout.maxUnavailable cannot both be 0: nothing could ever be replaced; "
                "set maxSurge: 1",
            ),
        )
    }

    max_surge: IntOrPercent = 1
    """Pods, or share of the replicas, that may run above the wanted count during a rollout."""
    max_unavailable: IntOrPercent = 0
    """Pods, or share of the replicas, that may be missing during a rollout. 1 with maxSurge 0 stops first."""
    progress_deadline_seconds: int = Field(600, ge=10, le=86400)
    """Seconds without progress after which a rollout counts as failed (Stalled)."""
    revision_history_limit: int = Field(10, ge=0, le=100)
    """Old ReplicaSets that are kept."""


class Disruption(ApiModel):
    """How many pods a drain of nodes may take away at once (PodDisruptionBudget)."""

    model_config = {
        "json_schema_extra": rules(
            rule(
                "!(has(self.minAvailable) && has(self.maxUnavailable))",
                "set either disruption.minAvailable or disruption.maxUnavailable, not both",
            ),
            rule(
                "!(has(self.maxUnavailable) && string(self.maxUnavailable) in ['0', '0%'])"
                " && !(has(self.minAvailable) && string(self.minAvailable) == '100%')",
                "this disruption budget would block every drain of a node: set disruption.maxUnavailable: 1",
            ),
        )
    }

    min_available: IntOrPercent | None = None
    """Pods, or share of them, that must stay."""
    max_unavailable: IntOrPercent | None = None
    """Pods, or share of them, that may be away. Without either field it is 1."""


class Spec(ApiModel):
    """The text-to-speech service that is wanted. `spec: {}` is a highly available service with the embedded voice."""

    model_config = {
        "json_schema_extra": rules(
            rule(
                "!has(self.disruption) || !has(self.disruption.minAvailable)"
                " || type(self.disruption.minAvailable) == string"
                " || self.replicas == 0 || int(self.disruption.minAvailable) < self.replicas",
                "disruption.minAvailable must be below replicas, or no node could ever be drained: "
                "lower it, or set disruption.maxUnavailable: 1",
            ),
        )
    }

    model: Model = Field(default_factory=Model)
    image: Image = Field(default_factory=Image)
    replicas: int = Field(3, ge=0, le=1000, json_schema_extra={"format": "int32"})
    """How many pods serve. Three, one in each zone, survive the loss of a zone."""
    resources: Resources = Field(default_factory=Resources)
    server: Server = Field(default_factory=Server)
    placement: Placement = Field(default_factory=Placement)
    service: ServicePort = Field(default_factory=ServicePort)
    rollout: Rollout = Field(default_factory=Rollout)
    disruption: Disruption = Field(default_factory=Disruption)
    paused: bool = False
    """Pause reconciliation: the operator changes nothing, and keeps on reporting the status."""
