"""Names, labels, and owner references of all children of a TTSService."""

from tts_operator.api import API_VERSION, KIND, TTSService
from tts_operator.json_object import Json

MANAGED_BY = "tts-operator"
NAME_LABEL = "app.kubernetes.io/name"
MANAGED_BY_LABEL = "app.kubernetes.io/managed-by"
INSTANCE_LABEL = "app.kubernetes.io/instance"
PART_OF_LABEL = "app.kubernetes.io/part-of"
NODE_UNREACHABLE = "NodeUnreachable"
"""Reason of a Ready condition that the operator sets on a pod whose node does not respond."""
SERVER, CANDIDATE, WORKER = "tts-server", "tts-server-candidate", "tts-server-worker"
"""Name labels of stable pods, of candidate pods, and of workers, which serve no clients."""
BACKEND = "tts-backend"
"""Name label of the pods of a separate backend, which only the other pods ask."""
BACKEND_LABEL = "tts-operator.io/backend"
"""On the pods of a separate backend, and on those that ask it: what tells it from other backends of the service."""
_NAME_PART = 45
"""How much of a service's name the names of its backends contain. A Service's has at most 63 characters."""
WORKER_SUFFIX = "-worker"
"""What the names of objects for the workers of jobs end with."""
_PART_OF = "tts-operator"


def selector_labels(service: TTSService) -> dict[str, str]:
    """The labels that select the stable pods. A Deployment's selector is immutable, so these must never change."""
    return {NAME_LABEL: SERVER, INSTANCE_LABEL: service.name}


def candidate_labels(service: TTSService) -> dict[str, str]:
    """The labels that select candidate pods. No stable Deployment, autoscaler, or budget counts them."""
    return {NAME_LABEL: CANDIDATE, INSTANCE_LABEL: service.name}


def candidate_name(service: TTSService) -> str:
    """The name of objects that exist only for a candidate."""
    return f"{service.name}-candidate"


def worker_labels(service: TTSService) -> dict[str, str]:
    """The labels that select the workers of jobs."""
    return {NAME_LABEL: WORKER, INSTANCE_LABEL: service.name}


def worker_name(service: TTSService) -> str:
    """The name of objects for the workers of jobs."""
    return f"{service.name}{WORKER_SUFFIX}"


def backend_labels(service: TTSService) -> dict[str, str]:
    """The labels that select all pods of separate backends."""
    return {NAME_LABEL: BACKEND, INSTANCE_LABEL: service.name}


def backend_name(service: TTSService, backend: str) -> str:
    """The name of objects for one separate backend."""
    return f"{service.name[:_NAME_PART]}-backend-{backend}"


def all_backends_name(service: TTSService) -> str:
    """The name of objects for all separate backends of a service."""
    return f"{service.name}-backend"


def jobs_claim_name(service: TTSService) -> str:
    """The name of the claim that holds jobs."""
    return f"{service.name}-jobs"


def all_pods(service: TTSService) -> dict[str, str]:
    """The labels that select stable pods, candidate pods, workers, and the pods of separate backends."""
    return {INSTANCE_LABEL: service.name, MANAGED_BY_LABEL: MANAGED_BY}


def serving_pods(service: TTSService) -> dict[str, str]:
    """The labels that select stable and candidate pods.

    A Service cannot select by what a label is not. So what tells them from others is a label that those lack.
    """
    return {**all_pods(service), PART_OF_LABEL: _PART_OF}


def common_labels(service: TTSService) -> dict[str, str]:
    """The recommended labels of each child. Without a version label, which would restart pods at each upgrade."""
    return {**selector_labels(service), MANAGED_BY_LABEL: MANAGED_BY, PART_OF_LABEL: _PART_OF}


def owner_reference(service: TTSService) -> Json:
    """The controller reference, so that garbage collection deletes a child with its TTSService."""
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "name": service.name,
        "uid": service.uid,
        "controller": True,
        "blockOwnerDeletion": True,
    }


def manifest(
    service: TTSService,
    api_version: str,
    kind: str,
    *,
    name: str | None = None,
    labels: dict[str, str] | None = None,
    annotations: dict[str, str] | None = None,
    **body: Json | bool | int,
) -> Json:
    """Build a child's manifest with labels and owner reference. By default, it is named like its TTSService.

    `body` are the fields beside metadata. `labels` are the user's. They cannot override the operator's.
    """
    metadata: Json = {
        "name": name or service.name,
        "namespace": service.namespace,
        "labels": {**(labels or {}), **common_labels(service)},
        "ownerReferences": [owner_reference(service)],
    }
    if annotations:
        metadata["annotations"] = dict(annotations)
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **body}
