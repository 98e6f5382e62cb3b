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
    """Where clients inside the cluster reach the service."""
    port = service.spec.service.port
    return f"http://{service.name}.{service.namespace}.svc" + ("" if port == 80 else f":{port}")  # noqa: PLR2004 - HTTP
