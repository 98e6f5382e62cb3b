"""The HTTPRoute of the Gateway API."""

from tts_operator.api import TTSService
from tts_operator.api.network import Gateway
from tts_operator.desired.identity import candidate_name, manifest
from tts_operator.json_object import Json


def http_route(service: TTSService, asked: Gateway, *, weight: int) -> Json:
    """The route from these hosts to the Service (https://gateway-api.sigs.k8s.io/api-types/httproute/).

    `weight` is the percentage of traffic for the candidate's Service.
    """
    port = service.spec.service.port
    backends: list[Json] = [{"name": service.name, "port": port}]
    if weight:
        candidate = {"name": candidate_name(service), "port": port, "weight": weight}
        backends = [{**backends[0], "weight": 100 - weight}, candidate]
    spec: Json = {
        "parentRefs": [parent.model_dump(by_alias=True, exclude_none=True) for parent in asked.parent_refs],
        "rules": [
            {
                "matches": [{"path": {"type": "PathPrefix", "value": "/"}}],
                "backendRefs": backends,
            }
        ],
    }
    if asked.hostnames:
        spec["hostnames"] = list(asked.hostnames)
    return manifest(service, "gateway.networking.k8s.io/v1", "HTTPRoute", spec=spec)
