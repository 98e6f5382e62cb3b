"""Decide what to do for one TTSService. Pure: every situation is a row in a table test."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from tts_operator.api import Json, TTSService
from tts_operator.desired import Defaults, children_of
from tts_operator.desired.revision import revisions_of, wanted_revision
from tts_operator.kube.client import FIELD_MANAGER
from tts_operator.reconcile.difference import in_order
from tts_operator.reconcile.evidence import NOTHING, Evidence
from tts_operator.reconcile.observed import Address, Observed, address
from tts_operator.reconcile.phase import State
from tts_operator.reconcile.prune import outdated
from tts_operator.reconcile.replicas import is_autoscaled, leave_to_autoscaler, scaled_names
from tts_operator.reconcile.rollout import Course, course


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is to be done to the children."""

    apply: Sequence[Json] = ()
    """Manifests, in this order."""
    kept: Mapping[Address, Json] = field(default_factory=dict)
    """By the address of a manifest: what another field manager is to have before it is applied without that."""
    delete: Sequence[Json] = ()
    """Live objects that are ours and no longer wanted."""
    held: Sequence[Json] = ()
    """Manifests that would be applied, were the service not paused."""
    missing: Sequence[Json] = ()
    """Manifests of kinds that the API server does not serve."""
    course: Course | None = None
    """Where the rollout is to be; None for a service that is being deleted."""
    waiting: bool = False
    """Whether something is to be deleted, but not yet."""

    @property
    def settled(self) -> bool:
        """Whether the plan stays the same until the spec or a child is another, whatever the children's status."""
        open_ends = self.apply or self.delete or self.held or self.waiting
        return not open_ends and self.course is not None and self.course.settled


def plan(
    service: TTSService, observed: Observed, defaults: Defaults, *, now: str, evidence: Evidence = NOTHING
) -> Plan:
    """Compare what is wanted with what is there. For an unchanged world the plan is empty. `now` is in RFC 3339."""
    if service.deleting:
        return Plan()
    revisions = revisions_of(observed.history(service))
    target = wanted_revision(service, defaults.image, revisions, defaults.keyring)
    known = {each.name: each for each in (*revisions, target)}
    way = course(service, observed, target, known, evidence=evidence, now=now)
    wanted = children_of(service, way.sets, defaults)
    missing = [manifest for manifest in wanted if (manifest["apiVersion"], manifest["kind"]) in observed.unserved]
    apply = [
        manifest
        for manifest in wanted
        if manifest not in missing and _to_apply(observed.children.get(address(manifest)), manifest)
    ]
    kept: dict[Address, Json] = {}
    if is_autoscaled(service, observed):
        apply, kept = leave_to_autoscaler(apply, observed, scaled_names((*wanted, *observed.children.values())))
    if service.spec.paused:
        way = replace(way, state=State.read(service.status), current=None, examine=None, again=None)
        return Plan(held=apply, missing=missing, course=way)
    delete, waiting = outdated(service, observed, wanted)
    return Plan(apply=apply, kept=kept, delete=delete, missing=missing, course=way, waiting=waiting)


def _to_apply(live: Json | None, manifest: Json) -> bool:
    if live is None:
        return True
    if "deletionTimestamp" in live["metadata"]:
        return False  # the news of its end brings us back
    return not in_order(live, manifest, FIELD_MANAGER)
