"""Decide what to do for one TTSService. Pure: every situation is a row in a table test."""

from collections.abc import Sequence
from dataclasses import dataclass

from tts_operator.api import Json, TTSService
from tts_operator.desired import Defaults, children_of
from tts_operator.desired.revision import wanted_revision
from tts_operator.kube.client import FIELD_MANAGER
from tts_operator.reconcile.difference import in_order
from tts_operator.reconcile.observed import Observed, address
from tts_operator.reconcile.prune import outdated
from tts_operator.reconcile.replicas import is_autoscaled, replicas


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is to be done to the children."""

    apply: Sequence[Json] = ()
    """Manifests, in this order."""
    delete: Sequence[Json] = ()
    """Live objects that are ours and no longer wanted."""
    held: Sequence[Json] = ()
    """Manifests that would be applied, were the service not paused."""
    missing: Sequence[Json] = ()
    """Manifests of kinds that the API server does not serve."""
    revision: str = ""
    """Name of the revision that the spec asks for."""
    waiting: bool = False
    """Whether something is to be deleted, but not yet."""

    @property
    def settled(self) -> bool:
        """Whether the plan stays the same until the spec or a child is another, whatever the children's status."""
        return not (self.apply or self.delete or self.held or self.waiting)


def plan(service: TTSService, observed: Observed, defaults: Defaults) -> Plan:
    """Compare what is wanted with what is there. For an unchanged world the plan is empty."""
    if service.deleting:
        return Plan()
    live = observed.child("apps/v1", "Deployment", service.name)
    revision = wanted_revision(service, defaults.image, observed.history(service))
    wanted = children_of(service, revision, replicas=replicas(service, observed, live))
    missing = [manifest for manifest in wanted if (manifest["apiVersion"], manifest["kind"]) in observed.unserved]
    apply = [
        manifest
        for manifest in wanted
        if manifest not in missing and _to_apply(observed.children.get(address(manifest)), manifest)
    ]
    if live is not None and is_autoscaled(service, observed):
        apply = [_only_if_unchanged(manifest, live) for manifest in apply]
    if service.spec.paused:
        return Plan(held=apply, missing=missing, revision=revision.name)
    delete, waiting = outdated(service, observed, wanted)
    return Plan(apply=apply, delete=delete, missing=missing, revision=revision.name, waiting=waiting)


def _only_if_unchanged(manifest: Json, live: Json) -> Json:
    """A Deployment with the replicas that we have seen, to be applied only if the autoscaler has not written others."""
    if manifest["kind"] != "Deployment" or "replicas" not in manifest["spec"]:
        return manifest
    version = live["metadata"]["resourceVersion"]
    return {**manifest, "metadata": {**manifest["metadata"], "resourceVersion": version}}


def _to_apply(live: Json | None, manifest: Json) -> bool:
    if live is None:
        return True
    if "deletionTimestamp" in live["metadata"]:
        return False  # the news of its end brings us back
    return not in_order(live, manifest, FIELD_MANAGER)
