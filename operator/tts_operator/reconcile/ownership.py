"""Whose a live object, or one of its fields, is."""

from tts_operator.api import Json, TTSService
from tts_operator.kube.client import FIELD_MANAGER
from tts_operator.reconcile.difference import fields_of


def owned_by(live: Json, service: TTSService) -> bool:
    """Whether the service is the controller of a live object."""
    return any(
        owner.get("controller") and owner["uid"] == service.uid for owner in live["metadata"].get("ownerReferences", ())
    )


def we_set_replicas(live: Json) -> bool:
    """Whether nobody has taken `spec.replicas` over since we set it. An autoscaler does when it first scales."""
    return "f:replicas" in fields_of(live, FIELD_MANAGER).get("f:spec", {})
