"""The HTTPRoute of the Gateway API."""

from tts_operator.api import Json, TTSService
from tts_operator.api.network import Gateway
from tts_operator.desired.identity import manifest


def http_route(service: TTSService, asked: Gateway) -> Json:
    """The route: everything for these hosts, to the Service (https://gateway-api.sigs.k8s.io/api-types/httproute/)."""
    spec: Json = {
        "parentRefs": [parent.model_dump(by_alias=True, exclude_none=True) for parent in asked.parent_refs],
        "rules": [
            {
                "matches": [{"path": {"type": "PathPrefix", "value": "/"}}],
                "backendRefs": [{"name": service.name, "port": service.spec.service.port}],
            }
        ],
    }
    if asked.hostnames:
        spec["hostnames"] = list(asked.hostnames)
    return manifest(service, "gateway.networking.k8s.io/v1", "HTTPRoute", spec=spec)
