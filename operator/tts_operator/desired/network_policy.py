"""The NetworkPolicy: who may connect to the pods."""

from tts_operator.api import TTSService
from tts_operator.desired.identity import MANAGED_BY, NAME_LABEL, all_pods, manifest
from tts_operator.json_object import Json


def network_policy(service: TTSService, operator_namespace: str) -> Json:
    """Allow the server's port only, from the listed peers, or from everyone. Egress is not restricted.

    The operator is always allowed if it knows its own namespace, because it must check new pods.
    """
    allowed: Json = {"ports": [{"port": "http", "protocol": "TCP"}]}
    if peers := service.spec.network_policy.ingress_from:
        # Unset fields are omitted. An empty selector stays, because it means all.
        allowed["from"] = [peer.model_dump(by_alias=True, exclude_none=True, exclude_defaults=True) for peer in peers]
        if operator_namespace:
            operator: Json = {
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": operator_namespace}},
                "podSelector": {"matchLabels": {NAME_LABEL: MANAGED_BY}},
            }
            allowed["from"].append(operator)
    return manifest(
        service,
        "networking.k8s.io/v1",
        "NetworkPolicy",
        spec={
            "podSelector": {"matchLabels": all_pods(service)},
            "policyTypes": ["Ingress"],
            "ingress": [allowed],
        },
    )
