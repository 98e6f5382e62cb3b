"""`spec.service`, `spec.ingress`, `spec.gateway`, and `spec.networkPolicy`: how clients reach the pods."""

from typing import Annotated, Literal

from pydantic import Field

from tts_operator.api.affinity import LabelSelector
from tts_operator.api.schema import ATOMIC, INT32, Annotations, ApiModel, rule, rules

Host = Annotated[
    str,
    Field(
        min_length=1,
        max_length=253,
        pattern=r"^(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$",
    ),
]
"""A DNS name in lower case, or a wildcard for its subdomains: *.example.com."""


class ServicePort(ApiModel):
    """The Service through which clients reach the pods."""

    type: Literal["ClusterIP", "NodePort", "LoadBalancer"] = "ClusterIP"
    """Type of the Service."""
    port: int = Field(80, ge=1, le=65535, json_schema_extra=INT32)
    """Port of the Service. It maps to the server's port 7860."""
    annotations: Annotations = {}
    """Annotations of the Service, such as those for a cloud load balancer."""
    traffic_distribution: Literal["PreferSameZone", "PreferSameNode", "PreferClose"] | None = None
    """Which pods receive a client's connections: those in its own zone or on its own node while one of them is ready,
    otherwise any. Default: any pod. This saves traffic between zones, but balances the load less evenly. PreferSameZone
    and PreferSameNode need Kubernetes 1.34. PreferClose is the older name of PreferSameZone."""


class IssuerReference(ApiModel):
    """The cert-manager issuer that signs the certificate."""

    name: str = Field(min_length=1, max_length=253)
    """Name of the issuer."""
    kind: str = Field("Issuer", max_length=63, pattern=r"^[A-Z][A-Za-z0-9]*$")
    """Issuer, in the namespace of the TTSService; ClusterIssuer; or the kind of an external issuer."""
    group: str = Field("cert-manager.io", max_length=253)
    """API group of the issuer."""


class IngressTLS(ApiModel):
    """The certificate of the Ingress."""

    model_config = {
        "json_schema_extra": rules(
            rule(
                "has(self.secretName) != has(self.issuerRef)",
                "set either ingress.tls.secretName, a Secret of type kubernetes.io/tls that exists, or "
                "ingress.tls.issuerRef, a cert-manager issuer that makes one",
            ),
        )
    }

    secret_name: str | None = Field(None, min_length=1, max_length=253)
    """An existing Secret of type kubernetes.io/tls in the namespace of the TTSService."""
    issuer_ref: IssuerReference | None = None
    """A cert-manager issuer. The operator creates a Certificate, whose Secret has the name of the TTSService with the
    suffix -tls."""


class Ingress(ApiModel):
    """An Ingress that routes traffic from outside the cluster to the Service."""

    model_config = {
        "json_schema_extra": rules(
            rule(
                "!has(self.tls) || has(self.host)",
                "ingress.tls needs ingress.host, the name that the certificate is for",
            ),
        )
    }

    class_name: str | None = Field(None, min_length=1, max_length=253)
    """IngressClass, such as nginx or traefik. Default: the cluster's default class."""
    host: Host | None = None
    """Host name that clients use. Default: all names."""
    path: str = Field("/", max_length=1024, pattern=r"^/[^\s?#]*$")
    """Path prefix. The server serves paths below /, so any other prefix needs an annotation that makes your controller
    strip it."""
    annotations: Annotations = {}
    """Annotations of the Ingress, for its controller."""
    tls: IngressTLS | None = None
    """HTTPS. Default: plain HTTP."""


class ParentReference(ApiModel):
    """A Gateway for the route."""

    name: str = Field(min_length=1, max_length=253)
    """Name of the Gateway."""
    namespace: str | None = Field(None, min_length=1, max_length=63)
    """Namespace of the Gateway, whose listener must allow the route. Default: the namespace of the TTSService."""
    section_name: str | None = Field(None, min_length=1, max_length=253)
    """Listener of the Gateway. Default: all that match."""
    port: int | None = Field(None, ge=1, le=65535, json_schema_extra=INT32)
    """Port of the Gateway. Default: all that match."""


class Gateway(ApiModel):
    """A route of the Gateway API (HTTPRoute) to the Service. The Gateway handles TLS."""

    parent_refs: list[ParentReference] = Field(min_length=1, max_length=8, json_schema_extra=ATOMIC)
    """Gateways for the route."""
    hostnames: list[Host] = Field([], max_length=16, json_schema_extra=ATOMIC)
    """Host names that clients use. Default: those of the Gateway's listeners."""
    scheme: Literal["http", "https"] = "http"
    """Scheme of status.url. It has no other effect, because the Gateway handles TLS."""


class IPBlock(ApiModel):
    """A range of addresses."""

    cidr: str = Field(min_length=1, max_length=43, pattern=r"^[0-9a-fA-F.:]+/[0-9]{1,3}$")
    """The range, such as 10.0.0.0/8."""
    # `except` is a word of Python.
    except_: list[Annotated[str, Field(max_length=43)]] = Field(
        [], max_length=16, alias="except", json_schema_extra=ATOMIC
    )
    """Ranges inside it to exclude."""


class NetworkPolicyPeer(ApiModel):
    """Who may connect, as in networking.k8s.io/v1."""

    model_config = {
        "json_schema_extra": rules(
            rule(
                "has(self.ipBlock) != (has(self.podSelector) || has(self.namespaceSelector))",
                "each peer of networkPolicy.ingressFrom is either an ipBlock, or a podSelector and/or a "
                "namespaceSelector",
            ),
        )
    }

    pod_selector: LabelSelector | None = None
    """Pods, by label."""
    namespace_selector: LabelSelector | None = None
    """Namespaces, by label. Default: the namespace of the TTSService. With podSelector, both must match."""
    ip_block: IPBlock | None = None
    """A range of addresses."""


class NetworkPolicy(ApiModel):
    """Who may connect to the pods (NetworkPolicy). Needs a network plugin that enforces network policies."""

    model_config = {
        "json_schema_extra": rules(
            rule(
                "self.enabled || !has(self.ingressFrom) || self.ingressFrom.size() == 0",
                "networkPolicy.ingressFrom has no effect without networkPolicy.enabled: true",
            ),
        )
    }

    enabled: bool = False
    """Whether to create the policy. Then, only the peers in ingressFrom can connect, and only to the server's port. It
    does not affect the kubelet's probes."""
    ingress_from: list[NetworkPolicyPeer] = Field([], max_length=32, json_schema_extra=ATOMIC)
    """Who may connect. Default: everyone. Include your ingress controller and Prometheus."""
