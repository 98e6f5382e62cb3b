"""Decide what to do for one TTSService. Pure: every situation is a row in a table test."""

from collections.abc import Sequence
from dataclasses import dataclass

from tts_operator.api import Json, TTSService
from tts_operator.desired import Defaults, children
from tts_operator.kube.client import FIELD_MANAGER
from tts_operator.reconcile.difference import in_order
from tts_operator.reconcile.observed import Observed, address


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is to be done to the children."""

    apply: Sequence[Json] = ()
    """Manifests, in this order."""
    delete: Sequence[Json] = ()
    """Live objects that are ours and no longer wanted."""
    held: Sequence[Json] = ()
    """Manifests that would be applied, were the service not paused."""


def plan(service: TTSService, observed: Observed, defaults: Defaults) -> Plan:
    """Compare what is wanted with what is there. For an unchanged world the plan is empty."""
    if service.deleting:
        return Plan()
    wanted = children(service, defaults)
    names = {address(manifest) for manifest in wanted}
    apply = [manifest for manifest in wanted if _to_apply(observed.children.get(address(manifest)), manifest)]
    if service.spec.paused:
        return Plan(held=apply)
    return Plan(
        apply=apply,
        delete=[live for at, live in observed.children.items() if at not in names and _to_prune(live, service)],
    )


def _to_apply(live: Json | None, manifest: Json) -> bool:
    if live is None:
        return True
    if "deletionTimestamp" in live["metadata"]:
        return False  # the news of its end brings us back
    return not in_order(live, manifest, FIELD_MANAGER)


def _to_prune(live: Json, service: TTSService) -> bool:
    return owned_by(live, service) and "deletionTimestamp" not in live["metadata"]


def owned_by(live: Json, service: TTSService) -> bool:
    """Whether the service is the controller of a live object."""
    return any(
        owner.get("controller") and owner["uid"] == service.uid for owner in live["metadata"].get("ownerReferences", ())
    )
