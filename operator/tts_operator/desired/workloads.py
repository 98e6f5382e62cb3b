"""The sets of pods of a TTSService, and their shares of traffic. Without a rollout, there is one set."""

from dataclasses import dataclass
from enum import Enum

from tts_operator.desired.backend import BackendPods
from tts_operator.desired.revision import Revision


class Traffic(Enum):
    """The pods that the Service selects."""

    STABLE = "stable"
    """The stable pods."""
    BOTH = "both"
    """Stable and candidate pods: each pod has the same share."""
    CANDIDATE = "candidate"
    """The candidate pods."""


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A second, temporary Deployment of another revision."""

    revision: Revision
    replicas: int | None
    """None: an autoscaler owns them."""
    scaled: bool = False
    """Whether the autoscaler targets the candidate instead of the stable Deployment."""
    preview: bool = True
    """Whether it has its own Service."""


@dataclass(frozen=True, kw_only=True)
class DesiredWorkloads:
    """The pods to run, and their shares of traffic."""

    revision: Revision
    """The revision of the stable Deployment."""
    replicas: int | None
    """The replicas of the stable Deployment. None: an autoscaler owns them."""
    candidate: Candidate | None = None
    traffic: Traffic = Traffic.STABLE
    weight: int = 0
    """Percentage of traffic that a route sends to the candidate. The Service then selects only stable pods."""
    halted: bool = False
    """Whether the stable Deployment must not replace further pods."""
    one_pod: bool = False
    """Whether the stable Deployment replaces only its first pods (maxUnavailable), and holds the others."""
    workers: Revision | None = None
    """The revision of the workers of jobs, if it is not that of the stable Deployment."""
    keep: tuple[Revision, ...] = ()
    """Other revisions to keep."""

    @property
    def running(self) -> tuple[Revision, ...]:
        """The revisions whose pods are to run."""
        candidate = (self.candidate.revision,) if self.candidate else ()
        return (self.revision, *candidate, *((self.workers,) if self.workers else ()))

    @property
    def backends(self) -> list[BackendPods]:
        """The separate backends that they ask."""
        return [each.backend for each in self.running if each.backend is not None]

    @property
    def serving(self) -> Revision:
        """The revision that receives all or most of the traffic."""
        return self.candidate.revision if self.candidate and self.traffic is Traffic.CANDIDATE else self.revision
