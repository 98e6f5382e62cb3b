"""The NetworkPolicy: who may connect to the pods."""

from tts_operator.api import TTSService
from tts_operator.desired.identity import MANAGED_BY, NAME_LABEL, all_pods, manifest
from tts_operator.desired.pod.backend import METRICS_PORT_NAME, metrics_port_name
from tts_operator.json_object import Json


def network_policy(service: TTSService, operator_namespace: str) -> Json:
    """Allow the server's port only, from the listed peers, or from everyone. Egress is not restricted.

    They may also read the metrics of a sidecar. The operator is always allowed if it knows its own namespace, because
    it must check new pods.
    """
    backend = service.spec.backend
    sidecar = backend is not None and not backend.is_separate and metrics_port_name(backend) == METRICS_PORT_NAME
    ports = ["http", METRICS_PORT_NAME] if sidecar else ["http"]
    allowed: Json = {"ports": [{"port": port, "protocol": "TCP"} for port in ports]}
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
