"""All children that a TTSService wants, in the order in which they are applied."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tts_operator.api import Json, TTSService
from tts_operator.desired.deployment import deployment, initial_replicas
from tts_operator.desired.horizontal_pod_autoscaler import horizontal_pod_autoscaler
from tts_operator.desired.http_route import http_route
from tts_operator.desired.ingress import certificate, ingress
from tts_operator.desired.monitoring import pod_monitor, prometheus_rule
from tts_operator.desired.network_policy import network_policy
from tts_operator.desired.persistent_volume_claim import persistent_volume_claim
from tts_operator.desired.pod_disruption_budget import pod_disruption_budget
from tts_operator.desired.revision import Revision, wanted_revision
from tts_operator.desired.service import service_
from tts_operator.desired.service_account import service_account


@dataclass(frozen=True, kw_only=True)
class Defaults:
    """What the operator decides where the spec is silent."""

    image: str
    """Reference of the bundled model server."""


def children(service: TTSService, defaults: Defaults, *, history: Iterable[Json] = ()) -> list[Json]:
    """The manifests of all children of a service that is new, but for its `history` of ControllerRevisions."""
    revision = wanted_revision(service, defaults.image, history)
    return children_of(service, revision, replicas=initial_replicas(service))


def children_of(service: TTSService, revision: Revision, *, replicas: int | None) -> list[Json]:
    """The manifests of all children. What others need comes first: pods need the ServiceAccount and the claim.

    Without `replicas` the Deployment says nothing of them: an autoscaler has set them.
    """
    return [
        service_account(service),
        revision.manifest(service),
        *_claim(service),
        service_(service),
        pod_disruption_budget(service),
        deployment(service, revision.template, replicas),
        *_as_asked_for(service),
    ]


def _claim(service: TTSService) -> Iterator[Json]:
    storage = service.spec.model.storage
    if storage is not None and storage.persistent_volume_claim is not None:
        yield persistent_volume_claim(service, storage.persistent_volume_claim)


def _as_asked_for(service: TTSService) -> Iterator[Json]:
    spec = service.spec
    if spec.autoscaling is not None:
        yield horizontal_pod_autoscaler(service, spec.autoscaling)
    if spec.network_policy.enabled:
        yield network_policy(service)
    if spec.ingress is not None:
        yield ingress(service, spec.ingress)
        tls = spec.ingress.tls
        if tls is not None and tls.issuer_ref is not None and spec.ingress.host is not None:
            yield certificate(service, spec.ingress.host, tls.issuer_ref)
    if spec.gateway is not None:
        yield http_route(service, spec.gateway)
    if spec.monitoring.pod_monitor.enabled:
        yield pod_monitor(service)
    if spec.monitoring.prometheus_rule.enabled:
        yield prometheus_rule(service)
