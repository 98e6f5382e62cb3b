"""The Service through which clients reach the pods."""

from tts_operator.api import Json, TTSService
from tts_operator.desired.identity import manifest, selector_labels


def service_(service: TTSService) -> Json:
    """The Service: its port leads to the server's named port, and only to ready pods."""
    wanted = service.spec.service
    return manifest(
        service,
        "v1",
        "Service",
        annotations=wanted.annotations,
        spec={
            "type": wanted.type,
            "selector": selector_labels(service),
            "ports": [{"name": "http", "port": wanted.port, "protocol": "TCP", "targetPort": "http"}],
        },
    )


def url(service: TTSService) -> str:
    """Where clients reach the service: by the host of the Ingress or of the route, or else inside the cluster."""
    ingress, gateway = service.spec.ingress, service.spec.gateway
    if ingress is not None and ingress.host is not None:
        return f"{'https' if ingress.tls else 'http'}://{ingress.host}{ingress.path.rstrip('/')}"
    if gateway is not None and gateway.hostnames:
        return f"http://{gateway.hostnames[0]}"
    port = service.spec.service.port
    return f"http://{service.name}.{service.namespace}.svc" + ("" if port == 80 else f":{port}")  # noqa: PLR2004 - HTTP
