"""The Services of stable and candidate pods."""

from tts_operator.api import TTSService
from tts_operator.desired.identity import candidate_labels, candidate_name, manifest, selector_labels, serving_pods
from tts_operator.desired.workloads import Traffic
from tts_operator.json_object import Json


def service_(service: TTSService, traffic: Traffic) -> Json:
    """The Service that clients use. `traffic` says which pods it selects."""
    wanted = service.spec.service
    selector = {Traffic.STABLE: selector_labels, Traffic.BOTH: serving_pods, Traffic.CANDIDATE: candidate_labels}[
        traffic
    ]
    spec: Json = {"type": wanted.type, "selector": selector(service), "ports": _ports(service)}
    if wanted.traffic_distribution is not None:
        spec["trafficDistribution"] = wanted.traffic_distribution
    return manifest(service, "v1", "Service", annotations=wanted.annotations, spec=spec)


def candidate_service(service: TTSService) -> Json:
    """The Service of the candidate only: for routes, and for people who want to test it."""
    spec = {"type": "ClusterIP", "selector": candidate_labels(service), "ports": _ports(service)}
    return manifest(service, "v1", "Service", name=candidate_name(service), spec=spec)


def _ports(service: TTSService) -> list[Json]:
    return [{"name": "http", "port": service.spec.service.port, "protocol": "TCP", "targetPort": "http"}]


def url(service: TTSService) -> str:
    """The URL for clients: the host of the Ingress or route, or otherwise the address inside the cluster."""
    ingress, gateway = service.spec.ingress, service.spec.gateway
    if ingress is not None and ingress.host is not None:
        return f"{'https' if ingress.tls else 'http'}://{ingress.host}{ingress.path.rstrip('/')}"
    if gateway is not None and gateway.hostnames:
        return f"{gateway.scheme}://{gateway.hostnames[0]}"
    return internal_url(service)


def internal_url(service: TTSService) -> str:
    """The URL of the Service inside the cluster."""
    port = service.spec.service.port
    return f"http://{service.name}.{service.namespace}.svc" + ("" if port == 80 else f":{port}")  # noqa: PLR2004 - HTTP
