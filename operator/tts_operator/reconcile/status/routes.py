"""The conditions RouteReady and CertificateReady."""

from typing import cast

from tts_operator.api import TTSService
from tts_operator.json_object import Json
from tts_operator.kube.resources import CERTIFICATES, INGRESSES, Resource
from tts_operator.objects import Certificate
from tts_operator.reconcile.observed.conditions import condition_of
from tts_operator.reconcile.observed.routes import unaccepted_route
from tts_operator.reconcile.observed.snapshot import Observed
from tts_operator.reconcile.status.conditions import ConditionState


def route(service: TTSService, observed: Observed) -> ConditionState | None:
    """Whether clients outside the cluster can reach the Service; None if the spec has no route."""
    if service.spec.gateway is not None:
        return _http_route(service, observed)
    if service.spec.ingress is not None:
        return _ingress(service, observed)
    return None


def certificate(service: TTSService, observed: Observed) -> ConditionState | None:
    """Whether cert-manager has issued the certificate; None if the spec has no issuer."""
    tls = service.spec.ingress.tls if service.spec.ingress else None
    if tls is None or tls.issuer_ref is None:
        return None
    live = cast("Certificate | None", _live(service, observed, CERTIFICATES))
    ready = condition_of(live, "Ready")
    issuer = f"{tls.issuer_ref.kind} {tls.issuer_ref.name}"
    if ready.get("status") == "True":
        return ConditionState(ready=True, reason="Issued", message=f"{issuer} has issued the certificate")
    said = f": {ready['message']}" if ready.get("message") else ""
    text = f"{issuer} has not issued the certificate yet{said}; see kubectl describe certificate {service.name}"
    return ConditionState(ready=False, reason="CertificateNotReady", message=text)


def _ingress(service: TTSService, observed: Observed) -> ConditionState:
    live = _live(service, observed, INGRESSES)
    points = (live or {}).get("status", {}).get("loadBalancer", {}).get("ingress", ())
    addresses = [point.get("ip") or point.get("hostname", "") for point in points]
    if addresses:
        return ConditionState(
            ready=True, reason="AddressAssigned", message=f"the Ingress is served at {', '.join(addresses)}"
        )
    asked = service.spec.ingress
    name = f"class {asked.class_name}" if asked is not None and asked.class_name else "the default class"
    # Some controllers never report an address, so a missing one does not make the service unready.
    return ConditionState(
        ready=None,
        reason="NoAddress",
        message=f"no controller has reported an address for the Ingress; check that one is running for {name}",
    )


def _http_route(service: TTSService, observed: Observed) -> ConditionState:
    found = unaccepted_route(service, observed)
    if found is None:
        return ConditionState(ready=True, reason="Accepted", message="every Gateway accepts the route")
    if found.refusal is None:
        text = (
            f"Gateway {found.gateway} has not reported on the route yet; check that it exists and its controller runs"
        )
        return ConditionState(ready=False, reason="RoutePending", message=text)
    reason, message = found.refusal["reason"], found.refusal.get("message", "")
    text = f"Gateway {found.gateway} rejects the route ({reason}): {message}"
    return ConditionState(ready=False, reason="RouteNotAccepted", message=text)


def _live(service: TTSService, observed: Observed, resource: Resource) -> Json | None:
    return observed.child(resource.api_version, resource.kind, service.name)
