"""The PodDisruptionBudget: how many pods a drain of nodes may take away at once."""

from tts_operator.api import TTSService
from tts_operator.desired.identity import candidate_labels, candidate_name, manifest, selector_labels
from tts_operator.json_object import Json


def pod_disruption_budget(service: TTSService, *, of_candidate: bool = False) -> Json:
    """The budget. By default one pod may be away: that agrees with any number of replicas, also with one.

    A pod that is not ready may always be evicted: it serves nobody, and would block a drain for ever
    (https://kubernetes.io/docs/tasks/run-application/configure-pdb/#unhealthy-pod-eviction-policy).

    That of a candidate never has `minAvailable`: it is chosen for all pods of the service, and a candidate may have
    fewer, of which then none could be evicted.
    """
    asked = service.spec.disruption
    if asked.min_available is not None and not of_candidate:
        budget: Json = {"minAvailable": asked.min_available}
    else:
        budget = {"maxUnavailable": 1 if asked.max_unavailable is None else asked.max_unavailable}
    return manifest(
        service,
        "policy/v1",
        "PodDisruptionBudget",
        name=candidate_name(service) if of_candidate else None,
        spec={
            **budget,
            "selector": {"matchLabels": candidate_labels(service) if of_candidate else selector_labels(service)},
            "unhealthyPodEvictionPolicy": "AlwaysAllow",
        },
    )
