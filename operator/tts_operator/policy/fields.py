"""Checks the fields of a spec that affect more than its own pods against the policy."""

from collections.abc import Iterator

from tts_operator.api import Spec
from tts_operator.api.network import IssuerReference
from tts_operator.policy.addresses import host_problem, is_allowed, problem
from tts_operator.policy.bounds import Bounds, Violation, allowed, shown
from tts_operator.policy.patterns import any_matches
from tts_operator.policy.template import priority_class_violation

CERT_MANAGER = "cert-manager.io"
AWS_REGION = "us-east-1"
"""The region of a bucket without one."""


def spec_violations(spec: Spec, bounds: Bounds) -> list[Violation]:
    """Find violations in the spec's own fields. The check of the pod template covers what ends up in pods."""
    return [
        *_service(spec, bounds),
        *_ingress(spec, bounds),
        *_gateway(spec, bounds),
        *_prometheus(spec, bounds),
        *_jobs(spec, bounds),
    ]


def _service(spec: Spec, bounds: Bounds) -> Iterator[Violation]:
    service = spec.service
    if not any_matches(bounds.service_types, service.type):
        yield _refused("spec.service.type", service.type, bounds.service_types, "serviceTypes")
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
        yield _refused("spec.ingress.tls.issuerRef", told, bounds.issuers, "issuers")


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
        yield _refused(field, prometheus.url, bounds.prometheus, "prometheus")


def _jobs(spec: Spec, bounds: Bounds) -> Iterator[Violation]:
    if spec.jobs is None:
        return
    for broker in spec.jobs.kafka.bootstrap_servers if spec.jobs.kafka is not None else ():
        field = "spec.jobs.kafka.bootstrapServers"
        if wrong := host_problem(broker.rpartition(":")[0].strip("[]")):
            yield Violation(text=f"{field}: {shown(broker)} is not allowed: {wrong}")
        elif not any_matches(bounds.kafka_brokers, broker):
            yield _refused(field, broker, bounds.kafka_brokers, "kafkaBrokers")
    bucket = spec.jobs.storage.s3
    if bucket is not None:
        field = "spec.jobs.storage.s3.endpoint"
        endpoint = bucket.endpoint or f"https://s3.{bucket.region or AWS_REGION}.amazonaws.com"
        if wrong := problem(endpoint):
            yield Violation(text=f"{field}: {shown(endpoint)} is not allowed: {wrong}")
        elif not any_matches(bounds.s3_endpoints, endpoint):
            yield _refused(field, endpoint, bounds.s3_endpoints, "s3Endpoints")
    placement = spec.jobs.workers.placement if spec.jobs.workers is not None else None
    if placement is not None and placement.priority_class_name is not None:
        wrong_class = priority_class_violation(placement.priority_class_name, bounds)
        if wrong_class is not None:
            text = f"spec.jobs.workers.placement.priorityClassName: {wrong_class.text}"
            yield Violation(text=text, value=wrong_class.value)


def _hosts(field: str, hosts: list[str], bounds: Bounds) -> Iterator[Violation]:
    if not hosts and "*" not in bounds.hosts:
        text = f"{field}: without a host it would match all names, which is not allowed; {allowed(bounds.hosts)}"
        yield Violation(text=text, value="hosts")
    for host in hosts:
        if not any_matches(bounds.hosts, host):
            yield _refused(field, host, bounds.hosts, "hosts")


def _annotations(field: str, found: dict[str, str], patterns: tuple[str, ...], value: str) -> Iterator[Violation]:
    for key in found:
        if not any_matches(patterns, key):
            yield _refused(f"{field}.annotations", key, patterns, value)


def _is_issuer(issuer: IssuerReference, bounds: Bounds) -> bool:
    """Whether an issuer is allowed. A slash in a part could fake another part, and no issuer has one."""
    parts = issuer.group or CERT_MANAGER, issuer.kind, issuer.name
    patterns = [f"{CERT_MANAGER}/{each}" if each.count("/") == 1 else each for each in bounds.issuers]
    return not any("/" in part for part in parts) and any_matches(patterns, "/".join(parts))


def _refused(field: str, found: str, patterns: tuple[str, ...], value: str) -> Violation:
    return Violation(text=f"{field}: {shown(found)} is not allowed; {allowed(patterns)}", value=value)
