"""What is known about a new revision beyond the API server's objects: by speech checks, and from metrics."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from tts_operator.desired.pod.probe import Admits, admits
from tts_operator.json_object import Json
from tts_operator.objects import Pod


class PodEndpoint(NamedTuple):
    """The address of a pod, and how to authenticate to it."""

    url: str
    """http://IP:PORT."""
    uid: str
    admits: Admits = Admits()
    """How the pod lets the operator in if it requires API keys."""


@dataclass(frozen=True, kw_only=True)
class AnalysisRequest:
    """What to analyze now."""

    subject: str
    """Identifies the analysis. A result counts only for its own subject."""
    pods: Mapping[str, PodEndpoint]
    """Pods of the new revision, by name."""
    stable: Mapping[str, PodEndpoint] = field(default_factory=dict)
    """Pods of the stable revision, by name."""
    checks_speech: bool
    """True: check the speech of the pods. False: watch their live traffic."""
    ready: bool = True
    """Whether it may start. Once started, it continues even if a pod is no longer ready."""
    in_place: bool = False
    """Whether the pods have replaced old ones, and so serve clients."""
    present: Collection[str] = ()
    """The uids of all existing pods of the new revision, ready or not."""
    language: str = "zh-CN"
    """BCP 47 language of the new revision."""
    max_characters: int = 500
    """The longest text that the new revision accepts."""

    def misses(self, asked: Collection[str]) -> bool:
        """Whether one of the checked pods, given by uid, is gone, so that the check must start again with others."""
        return self.checks_speech and not set(asked) <= set(self.present)


@dataclass(frozen=True, kw_only=True)
class RollbackReason:
    """A reason to roll back a new revision."""

    reason: str
    """One CamelCase word."""
    message: str


@dataclass(frozen=True, kw_only=True)
class AnalysisResult:
    """The result so far for one subject."""

    subject: str = ""
    asked: frozenset[str] = frozenset()
    """The uids of the checked pods. The result is void once one of them is gone."""
    passed: str = ""
    """Summary of the passed speech check; empty until it has passed."""
    rollback_reason: RollbackReason | None = None


NO_RESULT = AnalysisResult()


def pod_endpoints(pods: Sequence[Pod], port: int, template: Json) -> dict[str, PodEndpoint]:
    """The endpoints of a template's pods, by name. Omits pods without an address."""
    by = admits(template)
    return {
        pod["metadata"]["name"]: PodEndpoint(f"http://[{ip}]:{port}" if ":" in ip else f"http://{ip}:{port}", uid, by)
        for pod in pods
        if (ip := pod.get("status", {}).get("podIP")) and (uid := pod["metadata"]["uid"])
    }
