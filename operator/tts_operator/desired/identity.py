"""Names, labels and ownership that every child of a TTSService shares."""

from tts_operator.api import API_VERSION, KIND, Json, TTSService

MANAGED_BY = "tts-operator"
MANAGED_BY_LABEL = "app.kubernetes.io/managed-by"
INSTANCE_LABEL = "app.kubernetes.io/instance"


def selector_labels(service: TTSService) -> dict[str, str]:
    """The labels that select the pods. A Deployment's selector can never change, so neither may these."""
    return {"app.kubernetes.io/name": "tts-server", INSTANCE_LABEL: service.name}


def labels(service: TTSService) -> dict[str, str]:
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
    service: TTSService, api_version: str, kind: str, *, annotations: dict[str, str] | None = None, **body: Json | bool
) -> Json:
    """A child named like its TTSService, labelled and owned; `body` is what its kind has beside metadata."""
    metadata: Json = {
        "name": service.name,
        "namespace": service.namespace,
        "labels": labels(service),
        "ownerReferences": [owner_reference(service)],
    }
    if annotations:
        metadata["annotations"] = dict(annotations)
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **body}
