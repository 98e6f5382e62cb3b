"""Checks the fields of a spec that affect more than its own pods against the policy."""

from collections.abc import Iterator

from tts_operator.api import Spec
from tts_operator.api.network import IssuerReference
from tts_operator.policy.addresses import is_allowed, problem
from tts_operator.policy.backend import backend_violations
from tts_operator.policy.bounds import Bounds, Violation, allowed, refused, shown
from tts_operator.policy.jobs import jobs_violations
from tts_operator.policy.patterns import any_matches

CERT_MANAGER = "cert-manager.io"


def spec_violations(spec: Spec, bounds: Bounds) -> list[Violation]:
    """Find violations in the spec's own fields. The check of the pod template covers what ends up in pods."""
    return [
        *_service(spec, bounds),
        *_ingress(spec, bounds),
        *_gateway(spec, bounds),
        *_prometheus(spec, bounds),
        *jobs_violations(spec, bounds),
        *backend_violations(spec, bounds),
    ]


def _service(spec: Spec, bounds: Bounds) -> Iterator[Violation]:
    service = spec.service
    if not any_matches(bounds.service_types, service.type):
        yield refused("spec.service.type", service.type, bounds.service_types, "serviceTypes")
    yield from _annotations("spec.service", service.annotations, bounds.service_annotations, "serviceAnnotations")


def _ingress(spec: Spec, bounds: Bounds) -> Iterator[Violation]:
    ingress = spec.ingress
    if ingress is None:
        return
    yield from _hosts("spec.ingress.host", [ingress.host] if ingress.host else [], bounds)
    yield from _annotations("spec.ingress", ingress.annotations, bounds.ingress_annotations, "ingressAnnotations")
    issuer = ingress.tls.issuer_ref if ingress.tls is not None else None
    if issuer is not None and not _is_issuer(issuer, bounds):
        told = f"{issuer.group}/{issuer.kind}/{issuer.name}".removeprefix(f"{CERT_MANAGER}/")
        yield refused("spec.ingress.tls.issuerRef", told, bounds.issuers, "issuers")


def _gateway(spec: Spec, bounds: Bounds) -> Iterator[Violation]:
    if spec.gateway is not None:
        yield from _hosts("spec.gateway.hostnames", spec.gateway.hostnames, bounds)


def _prometheus(spec: Spec, bounds: Bounds) -> Iterator[Violation]:
    prometheus = spec.rollout.analysis.prometheus
    if prometheus is None:
        return
    field = "spec.rollout.analysis.prometheus.url"
    if wrong := problem(prometheus.url):
        yield Violation(text=f"{field}: {shown(prometheus.url)} is not allowed: {wrong}")
    elif not is_allowed(bounds.prometheus, prometheus.url):
        yield refused(field, prometheus.url, bounds.prometheus, "prometheus")


def _hosts(field: str, hosts: list[str], bounds: Bounds) -> Iterator[Violation]:
    if not hosts and "*" not in bounds.hosts:
        text = f"{field}: without a host it would match all names, which is not allowed; {allowed(bounds.hosts)}"
        yield Violation(text=text, value="hosts")
    for host in hosts:
        if not any_matches(bounds.hosts, host):
            yield refused(field, host, bounds.hosts, "hosts")


def _annotations(field: str, found: dict[str, str], patterns: tuple[str, ...], value: str) -> Iterator[Violation]:
    for key in found:
        if not any_matches(patterns, key):
            yield refused(f"{field}.annotations", key, patterns, value)


def _is_issuer(issuer: IssuerReference, bounds: Bounds) -> bool:
    """Whether an issuer is allowed. A slash in a part could fake another part, and no issuer has one."""
    parts = issuer.group or CERT_MANAGER, issuer.kind, issuer.name
    patterns = [f"{CERT_MANAGER}/{each}" if each.count("/") == 1 else each for each in bounds.issuers]
    return not any("/" in part for part in parts) and any_matches(patterns, "/".join(parts))
