"""`TTSService.spec`. The CRD in `crds/` is generated from this module and its imports.

`kubectl explain ttsservice.spec` prints the docstrings.
"""

from typing import Any

from pydantic import Field

from tts_operator.api.backend import Backend
from tts_operator.api.jobs import Jobs
from tts_operator.api.model import Model
from tts_operator.api.monitoring import Monitoring
from tts_operator.api.network import Gateway, Ingress, NetworkPolicy, ServicePort
from tts_operator.api.placement import Placement
from tts_operator.api.rollout import Disruption, Rollout
from tts_operator.api.scaling import Autoscaling
from tts_operator.api.schema import INT32, ApiModel, rule, rules
from tts_operator.api.server import Image, Resources, Server

DEFAULT_REPLICAS = 3

_HAS_INTEGER_MINIMUM = (
    "has(self.disruption) && has(self.disruption.minAvailable) && type(self.disruption.minAvailable) == int"
)
_ONE_NODE_CLAIM = (
    "has(self.model.storage) && has(self.model.storage.persistentVolumeClaim)"
    " && !('ReadWriteMany' in self.model.storage.persistentVolumeClaim.accessModes)"
    " && !('ReadOnlyMany' in self.model.storage.persistentVolumeClaim.accessModes)"
)
_SHARES_JOBS_WITH_WORKERS = "has(self.jobs) && has(self.jobs.kafka)"
_ONE_SERVER = (
    "!has(self.autoscaling) && self.replicas <= 1 && self.rollout.strategy == 'Rolling'"
    " && string(self.rollout.maxSurge) in ['0', '0%']"
)
MOST_BY_PODS = 80
"""Maximum weight of a canary without a route: it needs four times as many pods as the stable ones."""
_SHARED_BY_WEIGHT = (
    "has(self.gateway) || (has(self.ingress) && has(self.ingress.className)"
    " && self.ingress.className.startsWith('nginx'))"
)


class Spec(ApiModel):
    """The desired text-to-speech service. `spec: {}` is a highly available service with the bundled voice."""

    model_config = {
        "json_schema_extra": rules(
            rule(
                f"!has(self.autoscaling) || self.replicas == {DEFAULT_REPLICAS}",
                "replicas and autoscaling are mutually exclusive: remove replicas, because autoscaling.minReplicas and "
                "autoscaling.maxReplicas limit the number of pods, or remove autoscaling",
            ),
            rule(
                f"!({_HAS_INTEGER_MINIMUM}) || has(self.autoscaling)"
                " || self.replicas == 0 || int(self.disruption.minAvailable) < self.replicas",
                "disruption.minAvailable must be below replicas, or no node could ever be drained: "
                "lower it, or set disruption.maxUnavailable: 1",
            ),
            rule(
                f"!({_HAS_INTEGER_MINIMUM}) || !has(self.autoscaling)"
                " || int(self.disruption.minAvailable) < self.autoscaling.minReplicas",
                "disruption.minAvailable must be below autoscaling.minReplicas, or no node could be drained with so "
                "few pods: lower it, or set disruption.maxUnavailable: 1",
            ),
            rule(
                f"!({_ONE_NODE_CLAIM}) || (!has(self.autoscaling) && self.replicas <= 1)",
                "a ReadWriteOnce volume serves the pods of one node only: set "
                "model.storage.persistentVolumeClaim.accessModes: [ReadWriteMany], or replicas: 1",
            ),
            rule(
                f"!({_ONE_NODE_CLAIM}) || !({_SHARES_JOBS_WITH_WORKERS})",
                "a ReadWriteOnce volume serves the pods of one node only, but the workers of jobs need the model too: "
                "set model.storage.persistentVolumeClaim.accessModes: [ReadWriteMany]",
            ),
            rule(
                f"!has(self.jobs) || has(self.jobs.kafka) || ({_ONE_SERVER})",
                "without jobs.kafka, one server at a time can have the jobs: set jobs.kafka, or replicas: 1, "
                "rollout.maxSurge: 0, and rollout.maxUnavailable: 1, without autoscaling and with strategy Rolling",
            ),
            rule(
                "!has(self.backend) || !has(self.backend.upstream) || self.model.engine == 'fastspeech2'",
                "with backend.upstream, model.engine makes no sound: remove it",
            ),
            rule(
                "!has(self.backend) || !has(self.backend.triton) || !has(self.backend.triton.repository)"
                " || self.model.engine == 'fastspeech2'",
                "backend.triton.repository has the bundled voice, not that of model.engine: remove one of them",
            ),
            rule(
                "!has(self.backend) || !has(self.backend.upstream) || !has(self.model.voices)",
                "the voices of an upstream are those of backend.upstream.voices: remove model.voices",
            ),
            rule(
                "!has(self.rollout.speechCheck.texts) || self.rollout.speechCheck.texts.all(t,"
                " size(t) <= self.server.maxInputCharacters)",
                "a text in rollout.speechCheck.texts is longer than server.maxInputCharacters, so every pod would "
                "reject it: shorten it",
            ),
            rule(
                f"{_SHARED_BY_WEIGHT} || !has(self.rollout.canary) || !has(self.rollout.canary.steps)"
                f" || self.rollout.canary.steps.all(s, s.weight <= {MOST_BY_PODS})",
                "without gateway, or an ingress whose className begins with nginx, the number of pods sets the share "
                "of a canary, and 99 % would take 99 times the present pods: set the weights in rollout.canary.steps "
                f"to {MOST_BY_PODS} or less",
            ),
        )
    }

    model: Model = Field(default_factory=Model)
    backend: Backend | None = None
    """Another server that makes the sound, such as Kokoro-FastAPI, vLLM-Omni, or Triton on GPUs. Default: the service's
    own server makes it."""
    image: Image = Field(default_factory=Image)
    replicas: int = Field(DEFAULT_REPLICAS, ge=0, le=1000, json_schema_extra=INT32)
    """Number of pods. Three pods, one in each zone, survive the loss of a zone. Omit it if autoscaling is set."""
    autoscaling: Autoscaling | None = None
    """Scales the number of pods with the load, instead of a fixed number of replicas."""
    resources: Resources = Field(default_factory=Resources)
    server: Server = Field(default_factory=Server)
    jobs: Jobs | None = None
    """Long texts, which the service reads in the background (`/v1/audio/jobs`). Default: it takes none."""
    placement: Placement = Field(default_factory=Placement)
    service: ServicePort = Field(default_factory=ServicePort)
    ingress: Ingress | None = None
    """An Ingress that routes traffic from outside the cluster to the Service. Needs an Ingress controller."""
    gateway: Gateway | None = None
    """A route of the Gateway API (HTTPRoute) from outside the cluster to the Service. Needs its CRDs and a Gateway."""
    rollout: Rollout = Field(default_factory=Rollout)
    disruption: Disruption = Field(default_factory=Disruption)
    network_policy: NetworkPolicy = Field(default_factory=NetworkPolicy)
    monitoring: Monitoring = Field(default_factory=Monitoring)
    pod_template: dict[str, Any] | None = Field(
        None, json_schema_extra={"x-kubernetes-preserve-unknown-fields": True, "type": "object"}
    )
    """For everything that no other field covers: a pod template (metadata and spec, as in core/v1) that is merged last,
    as a strategic merge patch. Lists such as containers, volumes, and env are merged by name, so a sidecar is just
    another container. The model server's container is named `server`. The labels that select the pods cannot be
    changed. The operator's policy limits what is allowed; by default, the pods must meet the restricted Pod Security
    Standard."""
    paused: bool = False
    """Pauses reconciliation: the operator changes nothing, does not restore what someone deletes, and continues to
    report the status."""
