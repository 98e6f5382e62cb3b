"""A separate backend: pods of its own that make the sound, and what belongs to them.

Each version of its pods has a Deployment and a Service of its own, whose names end with a hash. So during a rollout,
the pods of each revision ask their own backend, and a rollback finds the old one still running.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tts_operator.api import TTSService
from tts_operator.api.backend import Backend, BackendAutoscaling
from tts_operator.api.placement import Placement
from tts_operator.desired.identity import (
    BACKEND_LABEL,
    CANDIDATE,
    INSTANCE_LABEL,
    MANAGED_BY,
    MANAGED_BY_LABEL,
    NAME_LABEL,
    SERVER,
    WORKER,
    all_backends_name,
    backend_labels,
    backend_name,
    manifest,
)
from tts_operator.desired.pod.backend import METRICS_PORT_NAME, PORT_NAME, pod_parts, port_in, port_of
from tts_operator.desired.pod.placement import placed
from tts_operator.desired.pod.security import RESTRICTED
from tts_operator.desired.pod.spread import constraints
from tts_operator.desired.pod_disruption_budget import backend_disruption_budget
from tts_operator.json_object import Json

DEFAULT_REPLICAS = 2
GRACE_SECONDS = 60
"""Longer than the longest request of a server, which loses its backend otherwise."""
_HASH_CHARACTERS = 8
_HASH = re.compile(rf"[0-9a-f]{{{_HASH_CHARACTERS}}}")


@dataclass(frozen=True, kw_only=True)
class BackendPods:
    """The pods of a separate backend, as a revision records them."""

    hash: str
    """What tells them from those of the service's other backends."""
    template: Json
    """The pod template; empty where only the hash is needed."""

    def as_data(self) -> Json:
        """What a ControllerRevision contains."""
        return {"hash": self.hash, "template": self.template}

    @classmethod
    def from_data(cls, data: Any) -> "BackendPods | None":
        """Read what a ControllerRevision contains; None for anything else, because others may write there too."""
        if not isinstance(data, dict) or not _HASH.fullmatch(str(data.get("hash"))):
            return None
        template = data.get("template")
        if not isinstance(template, dict) or not all(isinstance(template.get(n), dict) for n in ("metadata", "spec")):
            return None
        return cls(hash=data["hash"], template=template)


def hash_of(content: Json) -> str:
    """Identify containers and volumes by their content."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:_HASH_CHARACTERS]


def host_of(service: TTSService, pods: BackendPods) -> str:
    """The host at which the servers reach the backend."""
    return f"{backend_name(service, pods.hash)}.{service.namespace}.svc"


def backend_pods(service: TTSService, backend: Backend, server_image: str) -> BackendPods:
    """The pods of a separate backend. `server_image` writes Triton's models."""
    parts = pod_parts(backend, server_image, sidecar=False)
    placement = backend.placement or Placement()
    # Softly, unless the spec says otherwise: GPUs may be in one zone only.
    spread = placement.zone_spread.when_unsatisfiable or "ScheduleAnyway"
    pod: Json = {
        "serviceAccountName": service.name,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": GRACE_SECONDS,
        "securityContext": RESTRICTED,
        **{name: value for name, value in parts.items() if value},
        **placed(placement),
        "topologySpreadConstraints": constraints(backend_labels(service), placement.zone_spread, spread),
    }
    if service.spec.image.pull_secrets:
        pod["imagePullSecrets"] = [{"name": secret.name} for secret in service.spec.image.pull_secrets]
    found = hash_of({"pod": pod, "port": port_of(backend)})
    labels = {**backend_labels(service), MANAGED_BY_LABEL: MANAGED_BY, BACKEND_LABEL: found}
    return BackendPods(hash=found, template={"metadata": {"labels": labels}, "spec": pod})


def initial_replicas(service: TTSService) -> int:
    """The initial number of pods of a separate backend."""
    backend = service.spec.backend
    if backend is None or not backend.is_separate:
        return DEFAULT_REPLICAS  # it is on its way out
    if backend.autoscaling is not None:
        return backend.autoscaling.min_replicas
    return backend.replicas or DEFAULT_REPLICAS


@dataclass(frozen=True, kw_only=True)
class BackendScale:
    """How many pods separate backends have."""

    replicas: Mapping[str, int | None] = field(default_factory=dict)
    """What to write into each Deployment, by the hash of its backend. None: an autoscaler owns it."""
    minimum: int = 0
    """How many pods an autoscaler must leave. During a rollout, that is as many as the largest backend has: one that
    idles may get the traffic at any time."""


def backends(service: TTSService, wanted: Iterable[BackendPods], scale: BackendScale) -> Iterator[Json]:
    """Yield the manifests of separate backends."""
    found = {pods.hash: pods for pods in wanted}
    for pods in found.values():
        yield _service(service, pods)
        yield backend_disruption_budget(service, pods.hash)
        yield _deployment(service, pods, scale.replicas.get(pods.hash, initial_replicas(service)))
        asked = service.spec.backend.autoscaling if service.spec.backend is not None else None
        if asked is not None:
            yield _autoscaler(service, pods, asked, minimum=scale.minimum)
    if found and service.spec.network_policy.enabled:
        yield _network_policy(service)


def _selector(service: TTSService, pods: BackendPods) -> dict[str, str]:
    return {**backend_labels(service), BACKEND_LABEL: pods.hash}


def _service(service: TTSService, pods: BackendPods) -> Json:
    """The Service that the servers ask, with the port of the container."""
    port = {"name": PORT_NAME, "port": port_in(pods.template), "protocol": "TCP", "targetPort": PORT_NAME}
    spec = {"type": "ClusterIP", "selector": _selector(service, pods), "ports": [port]}
    return manifest(service, "v1", "Service", name=backend_name(service, pods.hash), spec=spec)


def _deployment(service: TTSService, pods: BackendPods, replicas: int | None) -> Json:
    """The Deployment, whose template never changes. If `replicas` is None, an autoscaler owns them."""
    return manifest(
        service,
        "apps/v1",
        "Deployment",
        name=backend_name(service, pods.hash),
        spec={
            **({} if replicas is None else {"replicas": replicas}),
            "selector": {"matchLabels": _selector(service, pods)},
            "progressDeadlineSeconds": service.spec.rollout.progress_deadline_seconds,
            "revisionHistoryLimit": 0,
            "template": pods.template,
        },
    )


def _autoscaler(service: TTSService, pods: BackendPods, asked: BackendAutoscaling, *, minimum: int) -> Json:
    name = backend_name(service, pods.hash)
    spec: Json = {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
        "minReplicas": min(max(asked.min_replicas, minimum), asked.max_replicas),
        "maxReplicas": asked.max_replicas,
        "metrics": [each.model_dump(by_alias=True, exclude_none=True, exclude_defaults=True) for each in asked.metrics],
    }
    if asked.behavior is not None:
        spec["behavior"] = asked.behavior.model_dump(by_alias=True, exclude_none=True, exclude_defaults=True)
    return manifest(service, "autoscaling/v2", "HorizontalPodAutoscaler", name=name, spec=spec)


def _network_policy(service: TTSService) -> Json:
    """Let only the service's own pods in, and those that may read its metrics."""
    front = {
        "matchLabels": {INSTANCE_LABEL: service.name, MANAGED_BY_LABEL: MANAGED_BY},
        "matchExpressions": [{"key": NAME_LABEL, "operator": "In", "values": [SERVER, CANDIDATE, WORKER]}],
    }
    metrics: Json = {"ports": [{"port": METRICS_PORT_NAME, "protocol": "TCP"}]}
    if peers := service.spec.network_policy.ingress_from:
        metrics["from"] = [peer.model_dump(by_alias=True, exclude_none=True, exclude_defaults=True) for peer in peers]
    return manifest(
        service,
        "networking.k8s.io/v1",
        "NetworkPolicy",
        name=all_backends_name(service),
        spec={
            "podSelector": {"matchLabels": backend_labels(service)},
            "policyTypes": ["Ingress"],
            "ingress": [{"ports": [{"port": PORT_NAME, "protocol": "TCP"}], "from": [{"podSelector": front}]}, metrics],
        },
    )
