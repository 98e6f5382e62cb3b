"""The Ingress, and the Certificate that cert-manager is asked for."""

from tts_operator.api import Json, TTSService
from tts_operator.api.network import Ingress, IssuerReference
from tts_operator.desired.identity import manifest


def ingress(service: TTSService, asked: Ingress) -> Json:
    """The Ingress: one host, one path, to the Service's port."""
    path = {
        "path": asked.path,
        "pathType": "Prefix",
        "backend": {"service": {"name": service.name, "port": {"name": "http"}}},
    }
    rule: Json = {"http": {"paths": [path]}}
    if asked.host:
        rule["host"] = asked.host
    spec: Json = {"rules": [rule]}
    if asked.class_name:
        spec["ingressClassName"] = asked.class_name
    if asked.tls is not None:
        spec["tls"] = [{"hosts": [asked.host], "secretName": asked.tls.secret_name or _secret(service)}]
    return manifest(service, "networking.k8s.io/v1", "Ingress", annotations=asked.annotations, spec=spec)


def certificate(service: TTSService, host: str, issuer: IssuerReference) -> Json:
    """The Certificate (https://cert-manager.io/docs/usage/certificate/): cert-manager keeps its Secret renewed."""
    return manifest(
        service,
        "cert-manager.io/v1",
        "Certificate",
        spec={
            "secretName": _secret(service),
            "dnsNames": [host],
            "issuerRef": {"name": issuer.name, "kind": issuer.kind, "group": issuer.group},
        },
    )


def _secret(service: TTSService) -> str:
    return f"{service.name}-tls"
