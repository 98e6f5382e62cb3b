"""What the next step of a rollout is decided on."""

from dataclasses import dataclass

from tts_operator.api import Json, TTSService
from tts_operator.api.rollout import Canary, CanaryStep
from tts_operator.desired.deployment import REVISION_ANNOTATION
from tts_operator.desired.identity import candidate_name
from tts_operator.desired.ingress import shares_by_weight
from tts_operator.desired.revision import Revision
from tts_operator.reconcile.analysis.model import AnalysisResult
from tts_operator.reconcile.observed.ownership import owned_by
from tts_operator.reconcile.observed.snapshot import Observed
from tts_operator.reconcile.rollout.replicas import is_autoscaled
from tts_operator.reconcile.rollout.state import RolloutState


@dataclass(frozen=True, kw_only=True)
class RolloutContext:
    """What is decided on."""

    service: TTSService
    observed: Observed
    spec_revision: Revision
    update_revision: Revision
    stable: Revision
    analysis_result: AnalysisResult
    started: str
    """When the rollout began."""
    now: str
    no_way_back: bool = False
    """Whether there is no way back: the stable revision is lost, and its Deployment has the new one already."""

    @property
    def live(self) -> Json | None:
        """The Deployment that bears the service's name."""
        return self._ours(self.service.name)

    @property
    def candidate_deployment(self) -> Json | None:
        """The candidate's Deployment."""
        return self._ours(candidate_name(self.service))

    def _ours(self, name: str) -> Json | None:
        found = self.observed.child("apps/v1", "Deployment", name)
        return found if found is not None and owned_by(found, self.service) else None

    @property
    def stable_replicas(self) -> int:
        """How many pods the Deployment is to have."""
        live = self.live
        if live is not None and is_autoscaled(self.service, self.observed):
            count: int = live["spec"].get("replicas", 1)
            return count
        return self.service.spec.replicas

    @property
    def steps(self) -> list[CanaryStep]:
        """Those of a canary."""
        return (self.service.spec.rollout.canary or Canary()).steps

    @property
    def by_weight(self) -> bool:
        """Whether a route shares the traffic out, so that the number of pods need not."""
        return self.service.spec.gateway is not None or shares_by_weight(self.service.spec.ingress)

    @property
    def has_candidate(self) -> bool:
        """Whether there is a candidate of this revision; there is none on the way from a stable one that is broken."""
        annotations = (self.candidate_deployment or {}).get("metadata", {}).get("annotations", {})
        return bool(annotations.get(REVISION_ANNOTATION) == self.update_revision.name)

    def step_of(self, state: RolloutState) -> int:
        """The step of a canary, also where the spec now has fewer."""
        return min(state.step or 0, len(self.steps) - 1)
