"""The input of a rollout decision."""

from dataclasses import dataclass

from tts_operator.api import TTSService
from tts_operator.api.rollout import BlueGreen, Canary, CanaryStep
from tts_operator.desired.deployment import REVISION_ANNOTATION
from tts_operator.desired.identity import backend_name, candidate_name
from tts_operator.desired.ingress import splits_by_weight
from tts_operator.desired.revision import Revision
from tts_operator.objects import Deployment
from tts_operator.reconcile.analysis.model import AnalysisResult
from tts_operator.reconcile.observed.deployments import is_complete, is_seen
from tts_operator.reconcile.observed.ownership import owned_by
from tts_operator.reconcile.observed.snapshot import Observed
from tts_operator.reconcile.rollout.replicas import is_autoscaled
from tts_operator.reconcile.rollout.state import Phase, RolloutState


@dataclass(frozen=True, kw_only=True)
class RolloutContext:
    """The input of a rollout decision."""

    service: TTSService
    observed: Observed
    spec_revision: Revision
    update_revision: Revision
    stable: Revision
    analysis_result: AnalysisResult
    started: str
    """RFC 3339: when the rollout started."""
    now: str
    """RFC 3339."""
    no_way_back: bool = False
    """Whether a rollback is impossible: the stable revision is lost, and its Deployment already has the new one."""

    @property
    def stable_deployment(self) -> Deployment | None:
        """The Deployment with the service's name."""
        return self._ours(self.service.name)

    @property
    def candidate_deployment(self) -> Deployment | None:
        """The candidate's Deployment."""
        return self._ours(candidate_name(self.service))

    def _ours(self, name: str) -> Deployment | None:
        found = self.observed.deployment(name)
        return found if found is not None and owned_by(found, self.service) else None

    @property
    def stable_replicas(self) -> int:
        """The desired number of pods in the stable Deployment."""
        live = self.stable_deployment
        if live is not None and is_autoscaled(self.service, self.observed):
            return live["spec"].get("replicas", 1)
        return self.service.spec.replicas

    @property
    def steps(self) -> list[CanaryStep]:
        """The steps of a canary."""
        return (self.service.spec.rollout.canary or Canary()).steps

    @property
    def by_weight(self) -> bool:
        """Whether a route splits the traffic by weight; otherwise the number of pods does."""
        return self.service.spec.gateway is not None or splits_by_weight(self.service.spec.ingress)

    @property
    def has_candidate(self) -> bool:
        """Whether the candidate has the update revision. There is none while a broken stable revision is replaced."""
        annotations = (self.candidate_deployment or {}).get("metadata", {}).get("annotations", {})
        return bool(annotations.get(REVISION_ANNOTATION) == self.update_revision.name)

    @property
    def new_backend_deployment(self) -> Deployment | None:
        """The Deployment of the update revision's separate backend, if the stable revision has another one or none."""
        backend = self.update_revision.backend
        return self._ours(backend_name(self.service, backend.hash)) if self.has_new_backend and backend else None

    @property
    def has_new_backend(self) -> bool:
        """Whether the update revision has a separate backend that the stable revision does not ask."""
        backend, before = self.update_revision.backend, self.stable.backend
        return backend is not None and (before is None or before.hash != backend.hash)

    @property
    def can_take_traffic(self) -> bool:
        """Whether a new backend has all its pods: one of them would do for the speech check, but not for clients."""
        live = self.new_backend_deployment
        return not self.has_new_backend or (live is not None and is_complete(live))

    def step_of(self, state: RolloutState) -> int:
        """The index of the canary step, even if the spec now has fewer steps."""
        return min(state.step or 0, len(self.steps) - 1)

    @property
    def waits_for_promotion(self) -> bool:
        """Whether a blue-green switch needs a manual promotion."""
        rollout = self.service.spec.rollout
        return rollout.strategy == "BlueGreen" and (rollout.blue_green or BlueGreen()).is_manual

    @property
    def has_spoken(self) -> bool:
        """Whether the new pods have passed the speech check, or it is disabled."""
        return not self.service.spec.rollout.speech_check.enabled or bool(self.analysis_result.passed)

    def is_promoted(self, state: RolloutState) -> bool:
        """Whether a user has promoted this step, or the whole rollout."""
        return self.service.commands.promote in state.promotions

    def waits_for_pods(self, state: RolloutState) -> bool:
        """Whether the rollout waits only for pods to become ready."""
        if state.phase is Phase.PREVIEWING:
            return not self.waits_for_promotion or self.is_promoted(state)
        return state.phase in (Phase.CHECKING, Phase.CHECKING_IN_PLACE, Phase.SCALING)

    def runs_update(self, live: Deployment | None) -> bool:
        """Whether a Deployment has the update revision, and its controller has seen that."""
        if live is None or "deletionTimestamp" in live["metadata"]:
            return False
        told = live["metadata"].get("annotations", {}).get(REVISION_ANNOTATION)
        return bool(told == self.update_revision.name) and is_seen(live)

    def enter(self, phase: Phase, *, step: int | None = None, message: str = "") -> RolloutState:
        """The state at the start of a phase or step."""
        return RolloutState(
            revision=self.update_revision.name,
            phase=phase,
            started=self.started,
            since=self.now,
            step=step,
            steps=len(self.steps) if self.service.spec.rollout.strategy == "Canary" else None,
            message=message,
        )
