"""The Ingress, and its Certificate for cert-manager."""

from tts_operator.api import TTSService
from tts_operator.api.network import Ingress, IssuerReference
from tts_operator.desired.identity import candidate_name, manifest
from tts_operator.json_object import Json

NGINX = "nginx.ingress.kubernetes.io"


def ingress(service: TTSService, asked: Ingress) -> Json:
    """The Ingress: one host and one path to the Service's port."""
    spec = _spec(service, asked, service.name)
    return manifest(service, "networking.k8s.io/v1", "Ingress", annotations=asked.annotations, spec=spec)


def canary_ingress(service: TTSService, asked: Ingress, *, weight: int) -> Json:
    """A second Ingress of class nginx, which routes `weight` percent of the traffic to the candidate's Service.

    Source: https://kubernetes.github.io/ingress-nginx/user-guide/nginx-configuration/annotations/#canary
    """
    name = candidate_name(service)
    annotations = {**asked.annotations, f"{NGINX}/canary": "true", f"{NGINX}/canary-weight": str(weight)}
    spec = _spec(service, asked, name)
    return manifest(service, "networking.k8s.io/v1", "Ingress", name=name, annotations=annotations, spec=spec)


def splits_by_weight(asked: Ingress | None) -> bool:
    """Whether the controller of this Ingress supports nginx' canary annotations."""
    return asked is not None and (asked.class_name or "").startswith("nginx")


def _spec(service: TTSService, asked: Ingress, backend: str) -> Json:
    path = {
        "path": asked.path,
        "pathType": "Prefix",
        "backend": {"service": {"name": backend, "port": {"name": "http"}}},
    }
    rule: Json = {"http": {"paths": [path]}}
    if asked.host:
        rule["host"] = asked.host
    spec: Json = {"rules": [rule]}
    if asked.class_name:
        spec["ingressClassName"] = asked.class_name
    if asked.tls is not None:
        spec["tls"] = [{"hosts": [asked.host], "secretName": asked.tls.secret_name or _secret(service)}]
    return spec


def certificate(service: TTSService, host: str, issuer: IssuerReference) -> Json:
    """The Certificate (https://cert-manager.io/docs/usage/certificate/), whose Secret cert-manager renews."""
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
