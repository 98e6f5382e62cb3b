"""Ownership of live objects and their fields."""

from collections.abc import Mapping
from typing import Any

from tts_operator.api import TTSService
from tts_operator.kube.client import FIELD_MANAGER
from tts_operator.reconcile.observed.managed_fields import fields_of


def owned_by(live: Mapping[str, Any], service: TTSService) -> bool:
    """Whether the service controls a live object."""
    return any(
        owner.get("controller") and owner["uid"] == service.uid for owner in live["metadata"].get("ownerReferences", ())
    )


def is_ours(live: Mapping[str, Any], service: TTSService) -> bool:
    """Whether a live object may be changed by force: the service controls it, or it is an orphan that we created.

    A child becomes an orphan if someone removes its owner reference, or deletes a TTSService with `--cascade=orphan`
    and creates it again. It keeps the record of the fields that we applied, so we adopt it, as every controller does.
    An object that has another controller, or that we never applied, is foreign.
    """
    owners = live["metadata"].get("ownerReferences", ())
    orphan = not any(owner.get("controller") for owner in owners)
    return owned_by(live, service) or (orphan and bool(fields_of(live, FIELD_MANAGER)))


def we_set_replicas(live: Mapping[str, Any]) -> bool:
    """Whether we still own `spec.replicas`. An autoscaler takes it over when it first scales."""
    return "f:replicas" in fields_of(live, FIELD_MANAGER).get("f:spec", {})
