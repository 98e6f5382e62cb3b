"""The sets of pods of a TTSService, and who of them gets which traffic. Normally there is one set."""

from dataclasses import dataclass
from enum import Enum

from tts_operator.desired.revision import Revision


class Traffic(Enum):
    """To which pods the Service leads."""

    STABLE = "stable"
    """Those of the Deployment that bears the service's name."""
    BOTH = "both"
    """Also the candidate's: each pod has the same share."""
    CANDIDATE = "candidate"
    """Those of the candidate only."""


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A second, temporary Deployment of another revision."""

    revision: Revision
    replicas: int | None
    """None: an autoscaler has set them."""
    scaled: bool = False
    """Whether the autoscaler is about it, and not about the other set."""
    preview: bool = True
    """Whether it has a Service of its own."""


@dataclass(frozen=True, kw_only=True)
class DesiredWorkloads:
    """What pods there are to be, and who gets which traffic."""

    revision: Revision
    """Of the Deployment that bears the service's name."""
    replicas: int | None
    """Of the same. None: an autoscaler has set them."""
    candidate: Candidate | None = None
    traffic: Traffic = Traffic.STABLE
    weight: int = 0
    """Percent of the traffic that a route shares out to the candidate; the Service then leads to the others."""
    halted: bool = False
    """No further pod of the Deployment is replaced."""
    one_pod: bool = False
    """Only as many pods of the Deployment are replaced as may be missing; the next ones wait."""
    keep: tuple[Revision, ...] = ()
    """Further revisions that are still needed."""

    @property
    def serving(self) -> Revision:
        """The revision that has the traffic, or most of it."""
        return self.candidate.revision if self.candidate and self.traffic is Traffic.CANDIDATE else self.revision
