"""Whose a live object, or one of its fields, is."""

from tts_operator.api import TTSService
from tts_operator.json_object import Json
from tts_operator.kube.client import FIELD_MANAGER
from tts_operator.reconcile.observed.managed_fields import fields_of


def owned_by(live: Json, service: TTSService) -> bool:
    """Whether the service is the controller of a live object."""
    return any(
        owner.get("controller") and owner["uid"] == service.uid for owner in live["metadata"].get("ownerReferences", ())
    )


def is_ours(live: Json, service: TTSService) -> bool:
    """Whether a live object may be changed by force: the service controls it, or it is an orphan that we have made.

    Whoever takes the owner reference off a child, or deletes a TTSService with `--cascade=orphan` and makes it anew,
    leaves our record of the fields that we applied. As every controller does, we take such an orphan back. What has
    another controller, or was never applied by us, is somebody else's, whatever it looks like.
    """
    owners = live["metadata"].get("ownerReferences", ())
    orphan = not any(owner.get("controller") for owner in owners)
    return owned_by(live, service) or (orphan and bool(fields_of(live, FIELD_MANAGER)))


def we_set_replicas(live: Json) -> bool:
    """Whether nobody has taken `spec.replicas` over since we set it. An autoscaler does when it first scales."""
    return "f:replicas" in fields_of(live, FIELD_MANAGER).get("f:spec", {})
