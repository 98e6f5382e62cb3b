"""Names, labels and ownership that every child of a TTSService shares."""

from tts_operator.api import API_VERSION, KIND, TTSService
from tts_operator.json_object import Json

MANAGED_BY = "tts-operator"
NAME_LABEL = "app.kubernetes.io/name"
MANAGED_BY_LABEL = "app.kubernetes.io/managed-by"
INSTANCE_LABEL = "app.kubernetes.io/instance"
NODE_UNREACHABLE = "NodeUnreachable"
"""Reason of a pod's condition Ready that the operator has set: its node does not answer."""
SERVER, CANDIDATE = "tts-server", "tts-server-candidate"
"""Name labels of the pods that serve, and of those of a new revision that is still to prove itself."""


def selector_labels(service: TTSService) -> dict[str, str]:
    """The labels that select the pods. A Deployment's selector can never change, so neither may these."""
    return {NAME_LABEL: SERVER, INSTANCE_LABEL: service.name}


def candidate_labels(service: TTSService) -> dict[str, str]:
    """The labels that select the pods of a candidate. No Deployment, autoscaler or budget of the others counts them."""
    return {NAME_LABEL: CANDIDATE, INSTANCE_LABEL: service.name}


def candidate_name(service: TTSService) -> str:
    """The name of what exists for a candidate alone."""
    return f"{service.name}-candidate"


def all_pods(service: TTSService) -> dict[str, str]:
    """The labels that select both."""
    return {INSTANCE_LABEL: service.name, MANAGED_BY_LABEL: MANAGED_BY}


def common_labels(service: TTSService) -> dict[str, str]:
    """The recommended labels of each child. Without a version: it would restart the pods at each upgrade."""
    return {**selector_labels(service), MANAGED_BY_LABEL: MANAGED_BY, "app.kubernetes.io/part-of": "tts-operator"}


def owner_reference(service: TTSService) -> Json:
    """The controller reference by which the garbage collector removes a child with its TTSService."""
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
    """A child, labelled and owned, and named like its TTSService; `body` is what its kind has beside metadata.

    `labels` are the user's; they cannot take the place of those by which the operator finds its children.
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
