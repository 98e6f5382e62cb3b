"""Decide what to do for one TTSService, in two steps. Pure: every situation is a row in a table test.

`decide` determines the spec's revision, whether the policy allows it, and where the rollout goes. `compare` derives the
children from that decision and compares them with the live ones.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from tts_operator.api import TTSService
from tts_operator.api.model import Model
from tts_operator.desired import Defaults, children_of
from tts_operator.desired.identity import worker_name
from tts_operator.desired.revision import Revision, revisions_of, wanted_revision
from tts_operator.json_object import Json
from tts_operator.kube.client import FIELD_MANAGER
from tts_operator.kube.resources import DEPLOYMENTS
from tts_operator.policy import Bounds
from tts_operator.reconcile.analysis.model import NO_RESULT, AnalysisResult
from tts_operator.reconcile.children.changes import Changes
from tts_operator.reconcile.children.diff import is_up_to_date
from tts_operator.reconcile.children.pruning import outdated
from tts_operator.reconcile.compliance import of_others, of_spec, of_spec_revision
from tts_operator.reconcile.observed.snapshot import Observed, address
from tts_operator.reconcile.rollout.decision import RolloutDecision, decide_rollout
from tts_operator.reconcile.rollout.replicas import (
    backend_scale,
    leave_to_autoscaler,
    scaled_deployments,
    worker_scale,
)
from tts_operator.reconcile.rollout.state import RolloutState


@dataclass(frozen=True, kw_only=True)
class NotAllowed:
    """The policy does not allow the spec, so the children stay as they are."""

    violation: str
    """What is not allowed, and what to do about it."""
    serving: Model | None
    """The model that serves; None if unknown."""


@dataclass(frozen=True, kw_only=True)
class Plan(Changes):
    """The changes to make to the children, and what remains undone."""

    held: Sequence[Json] = ()
    """Manifests that would be applied if the service were not paused."""
    missing: Sequence[Json] = ()
    """Manifests of kinds that the API server does not serve, or that the operator is not allowed to use."""
    decision: RolloutDecision | None = None
    """Where the rollout goes; None for a service that is being deleted, or that the policy does not allow."""
    waiting: bool = False
    """Whether a deletion is pending that must not happen yet."""
    not_allowed: NotAllowed | None = None
    """Why nothing is done, if so."""

    @property
    def settled(self) -> bool:
        """Whether the plan stays the same until the spec or a child changes, whatever the children's status."""
        open_ends = self.apply or self.delete or self.held or self.waiting
        return not open_ends and self.decision is not None and self.decision.settled

    @property
    def violation(self) -> str:
        """What the policy does not allow; empty if it allows everything."""
        return self.not_allowed.violation if self.not_allowed is not None else ""


def decide(
    service: TTSService,
    observed: Observed,
    defaults: Defaults,
    bounds: Bounds,
    *,
    now: str,
    analysis_result: AnalysisResult = NO_RESULT,
) -> RolloutDecision | NotAllowed:
    """Decide where the rollout goes, within the `bounds` of the policy. `now` is an RFC 3339 time."""
    revisions = revisions_of(observed.history(service))
    if violation := of_spec(service, bounds):
        return _not_allowed(service, violation, revisions)
    spec_revision = wanted_revision(service, defaults.image, revisions, nodes=observed.nodes, keyring=defaults.keyring)
    if violation := of_spec_revision(service, spec_revision, defaults, bounds):
        return _not_allowed(service, violation, revisions)
    known = {each.name: each for each in (*revisions, spec_revision)}
    return decide_rollout(service, observed, spec_revision, known, analysis_result=analysis_result, now=now)


def compare(
    service: TTSService,
    observed: Observed,
    decision: RolloutDecision | NotAllowed,
    defaults: Defaults,
    bounds: Bounds,
) -> Plan:
    """Compare the children that follow from a decision with the live ones. If they match, the plan is empty."""
    if service.deleting:
        return Plan()
    if isinstance(decision, NotAllowed):
        return Plan(not_allowed=decision)
    scales = worker_scale(service, observed), backend_scale(service, observed, decision.workloads.backends)
    desired = children_of(service, decision.workloads, defaults, *scales)
    deployments = [manifest for manifest in desired if manifest["kind"] == DEPLOYMENTS.kind]
    workers = [manifest for manifest in deployments if manifest["metadata"]["name"] == worker_name(service)]
    servers = [manifest for manifest in deployments if manifest not in workers]
    if violation := of_others(service, servers, decision.spec_revision, observed, bounds):
        return Plan(not_allowed=_not_allowed(service, violation, revisions_of(observed.history(service))))
    # Workers of a revision that is no longer allowed stay as they are. They must not hold up a corrected spec.
    stay = [manifest for manifest in workers if of_others(service, workers, decision.spec_revision, observed, bounds)]
    absent = {*observed.unserved, *observed.without}
    missing = [manifest for manifest in desired if (manifest["apiVersion"], manifest["kind"]) in absent]
    apply = [
        manifest
        for manifest in desired
        if manifest not in missing
        and manifest not in stay
        and _differs(observed.children.get(address(manifest)), manifest)
    ]
    apply, kept = leave_to_autoscaler(apply, observed, scaled_deployments(service, observed, desired))
    if service.spec.paused:
        stays = replace(
            decision, state=RolloutState.read(service.status), current=None, analysis_request=None, again=None
        )
        return Plan(held=apply, missing=missing, decision=stays)
    delete, waiting = outdated(service, observed, desired)
    return Plan(apply=apply, kept=kept, delete=delete, missing=missing, decision=decision, waiting=waiting)


def _not_allowed(service: TTSService, violation: str, revisions: Sequence[Revision]) -> NotAllowed:
    current = service.status.get("currentRevision")
    serving = next((each.model for each in revisions if each.name == current), None)
    return NotAllowed(violation=violation, serving=serving)


def _differs(live: Json | None, manifest: Json) -> bool:
    if live is None:
        return True
    if "deletionTimestamp" in live["metadata"]:
        return False  # its DELETED event triggers another pass
    return not is_up_to_date(live, manifest, FIELD_MANAGER)
