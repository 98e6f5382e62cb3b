"""Decide what to do for one TTSService. Pure: every situation is a row in a table test."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from tts_operator.api import Json, TTSService
from tts_operator.api.model import Model
from tts_operator.desired import Defaults, children_of
from tts_operator.desired.revision import Revision, revisions_of, wanted_revision
from tts_operator.kube.client import FIELD_MANAGER
from tts_operator.kube.resources import DEPLOYMENTS
from tts_operator.policy import Policy
from tts_operator.reconcile.analysis.model import NO_RESULT, AnalysisResult
from tts_operator.reconcile.children.diff import in_order
from tts_operator.reconcile.children.pruning import outdated
from tts_operator.reconcile.compliance import of_others, of_spec, of_target
from tts_operator.reconcile.observed.snapshot import Address, Observed, address
from tts_operator.reconcile.rollout.decision import RolloutDecision, decision
from tts_operator.reconcile.rollout.replicas import is_autoscaled, leave_to_autoscaler, scaled_names
from tts_operator.reconcile.rollout.state import RolloutState

DEFAULT_POLICY = Policy()


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
    """Manifests of kinds that the API server does not serve, or that the operator does without."""
    decision: RolloutDecision | None = None
    """Where the rollout is to be; None for a service that is being deleted."""
    waiting: bool = False
    """Whether something is to be deleted, but not yet."""
    violation: str = ""
    """Why nothing is to be done: what the policy does not allow."""
    serving: Model | None = None
    """The model that serves, where nothing is to be done and no course is decided."""

    @property
    def settled(self) -> bool:
        """Whether the plan stays the same until the spec or a child is another, whatever the children's status."""
        open_ends = self.apply or self.delete or self.held or self.waiting
        return not open_ends and self.decision is not None and self.decision.settled


def plan(
    service: TTSService,
    observed: Observed,
    defaults: Defaults,
    *,
    now: str,
    analysis_result: AnalysisResult = NO_RESULT,
    policy: Policy = DEFAULT_POLICY,
) -> Plan:
    """Compare what is wanted with what is there. For an unchanged world the plan is empty. `now` is in RFC 3339.

    Nothing at all is to be done to a service that wants what `policy` does not allow.
    """
    if service.deleting:
        return Plan()
    bounds = policy.for_namespace(service.namespace, defaults.image)
    revisions = revisions_of(observed.history(service))
    if violation := of_spec(service, bounds):
        return _refused(service, violation, revisions)
    spec_revision = wanted_revision(service, defaults.image, revisions, nodes=observed.nodes, keyring=defaults.keyring)
    if violation := of_target(service, spec_revision, defaults, bounds):
        return _refused(service, violation, revisions)
    known = {each.name: each for each in (*revisions, spec_revision)}
    way = decision(service, observed, spec_revision, known, analysis_result=analysis_result, now=now)
    wanted = children_of(service, way.workloads, defaults)
    deployments = [manifest for manifest in wanted if manifest["kind"] == DEPLOYMENTS.kind]
    if violation := of_others(service, deployments, spec_revision, observed, bounds):
        return _refused(service, violation, revisions)
    absent = {*observed.unserved, *observed.without}
    missing = [manifest for manifest in wanted if (manifest["apiVersion"], manifest["kind"]) in absent]
    apply = [
        manifest
        for manifest in wanted
        if manifest not in missing and _to_apply(observed.children.get(address(manifest)), manifest)
    ]
    kept: dict[Address, Json] = {}
    if is_autoscaled(service, observed):
        apply, kept = leave_to_autoscaler(apply, observed, scaled_names((*wanted, *observed.children.values())))
    if service.spec.paused:
        way = replace(way, state=RolloutState.read(service.status), current=None, analysis_request=None, again=None)
        return Plan(held=apply, missing=missing, decision=way)
    delete, waiting = outdated(service, observed, wanted)
    return Plan(apply=apply, kept=kept, delete=delete, missing=missing, decision=way, waiting=waiting)


def _refused(service: TTSService, violation: str, revisions: Sequence[Revision]) -> Plan:
    current = service.status.get("currentRevision")
    return Plan(violation=violation, serving=next((each.model for each in revisions if each.name == current), None))


def _to_apply(live: Json | None, manifest: Json) -> bool:
    if live is None:
        return True
    if "deletionTimestamp" in live["metadata"]:
        return False  # the news of its end brings us back
    return not in_order(live, manifest, FIELD_MANAGER)
