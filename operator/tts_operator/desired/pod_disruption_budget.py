"""The PodDisruptionBudget: how many pods a node drain may evict at once."""

from tts_operator.api import TTSService
from tts_operator.desired.identity import (
    BACKEND_LABEL,
    backend_labels,
    backend_name,
    candidate_labels,
    candidate_name,
    manifest,
    selector_labels,
    worker_labels,
    worker_name,
)
from tts_operator.json_object import Json


def pod_disruption_budget(service: TTSService, *, of_candidate: bool = False) -> Json:
    """The budget. By default, one pod may be unavailable, which works with any number of replicas, even one.

    An unready pod may always be evicted. It serves nobody, and would block a drain forever
    (https://kubernetes.io/docs/tasks/run-application/configure-pdb/#unhealthy-pod-eviction-policy).

    A candidate's budget never uses `minAvailable`, which is meant for all pods of the service. A candidate may have
    fewer pods, none of which could be evicted then.
    """
    asked = service.spec.disruption
    if asked.min_available is not None and not of_candidate:
        budget: Json = {"minAvailable": asked.min_available}
    else:
        budget = {"maxUnavailable": 1 if asked.max_unavailable is None else asked.max_unavailable}
    labels = candidate_labels(service) if of_candidate else selector_labels(service)
    return _budget(service, budget, labels, name=candidate_name(service) if of_candidate else None)


def worker_disruption_budget(service: TTSService) -> Json:
    """The budget of the workers: of all of them at once, one book would get none."""
    return _budget(service, {"maxUnavailable": 1}, worker_labels(service), name=worker_name(service))


def backend_disruption_budget(service: TTSService, backend: str) -> Json:
    """The budget of one separate backend."""
    labels = {**backend_labels(service), BACKEND_LABEL: backend}
    return _budget(service, {"maxUnavailable": 1}, labels, name=backend_name(service, backend))


def _budget(service: TTSService, budget: Json, labels: dict[str, str], *, name: str | None) -> Json:
    return manifest(
        service,
        "policy/v1",
        "PodDisruptionBudget",
        name=name,
        spec={**budget, "selector": {"matchLabels": labels}, "unhealthyPodEvictionPolicy": "AlwaysAllow"},
    )
