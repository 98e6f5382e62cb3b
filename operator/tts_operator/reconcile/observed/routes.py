"""Whether the Gateways of an HTTPRoute accept it."""

from dataclasses import dataclass

from tts_operator.api import TTSService
from tts_operator.api.network import ParentReference
from tts_operator.json_object import Json
from tts_operator.kube.resources import HTTP_ROUTES
from tts_operator.reconcile.observed.snapshot import Observed

CONDITIONS = ("Accepted", "ResolvedRefs")
"""Conditions that each Gateway must report as True for the route
(https://gateway-api.sigs.k8s.io/reference/spec/#routeparentstatus)."""


@dataclass(frozen=True, kw_only=True)
class UnacceptedRoute:
    """A Gateway that does not route traffic to the service, or not yet."""

    gateway: str
    """NAMESPACE/NAME."""
    refusal: Json | None
    """The condition with status False; None if the Gateway has not reported on the current route yet."""


def unaccepted_route(service: TTSService, observed: Observed) -> UnacceptedRoute | None:
    """The first Gateway that has not accepted the route; None if all have, or the spec names none."""
    live = observed.child(HTTP_ROUTES.api_version, HTTP_ROUTES.kind, service.name)
    generation: int = (live or {}).get("metadata", {}).get("generation", 0)
    for parent in service.spec.gateway.parent_refs if service.spec.gateway else ():
        told = _answer(live, parent, service.namespace)
        gateway = f"{parent.namespace or service.namespace}/{parent.name}"
        for kind in CONDITIONS:
            condition = next((each for each in told if each["type"] == kind), None)
            if condition is None or condition.get("observedGeneration", 0) < generation:
                return UnacceptedRoute(gateway=gateway, refusal=None)
            if condition["status"] != "True":
                return UnacceptedRoute(gateway=gateway, refusal=condition)
    return None


def route_accepted(service: TTSService, observed: Observed) -> bool:
    """Whether the spec names Gateways, and all of them have accepted the route."""
    return service.spec.gateway is not None and unaccepted_route(service, observed) is None


def _answer(live: Json | None, parent: ParentReference, namespace: str) -> list[Json]:
    """The conditions that a Gateway's controller has set on the route."""

    def meant(reference: Json) -> bool:
        return (reference["name"], reference.get("namespace", namespace), reference.get("sectionName")) == (
            parent.name,
            parent.namespace or namespace,
            parent.section_name,
        )

    answers = (live or {}).get("status", {}).get("parents", ())
    return [condition for answer in answers if meant(answer["parentRef"]) for condition in answer.get("conditions", ())]
