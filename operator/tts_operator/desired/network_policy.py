"""The NetworkPolicy: who may connect to the pods."""

from tts_operator.api import Json, TTSService
from tts_operator.desired.identity import manifest, selector_labels


def network_policy(service: TTSService) -> Json:
    """The policy: the server's port and no other, for those who are listed, or for all. What pods send stays free."""
    allowed: Json = {"ports": [{"port": "http", "protocol": "TCP"}]}
    if peers := service.spec.network_policy.ingress_from:
        # Without what was not said; but an empty selector means all, and stays.
        allowed["from"] = [peer.model_dump(by_alias=True, exclude_none=True, exclude_defaults=True) for peer in peers]
    return manifest(
        service,
        "networking.k8s.io/v1",
        "NetworkPolicy",
        spec={
            "podSelector": {"matchLabels": selector_labels(service)},
            "policyTypes": ["Ingress"],
            "ingress": [allowed],
        },
    )
