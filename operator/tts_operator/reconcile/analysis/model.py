"""What has been found out about a new revision beside what the API server tells: by listening, and from metrics."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from tts_operator.desired.probe import Admits, admits
from tts_operator.json_object import Json


class PodEndpoint(NamedTuple):
    """Where a pod answers."""

    url: str
    """http://IP:PORT."""
    uid: str
    admits: Admits = Admits()
    """By what it lets the operator speak, where it wants keys."""


@dataclass(frozen=True, kw_only=True)
class AnalysisRequest:
    """What is to be found out now."""

    subject: str
    """What it is about: findings count only for the subject that they were made for."""
    pods: Mapping[str, PodEndpoint]
    """Pods of the new revision, by name."""
    stable: Mapping[str, PodEndpoint] = field(default_factory=dict)
    """The same of the revision that serves."""
    speaks: bool
    """True: whether they speak. False: how they do with the traffic that they have."""
    ready: bool = True
    """Whether it may begin. What has begun goes on also where a pod is no longer ready."""
    present: Collection[str] = ()
    """The uids of all pods of the new revision that are there, ready or not."""
    language: str = "zh-CN"
    """What the new revision speaks, in BCP 47."""
    max_characters: int = 500
    """The longest text that it takes."""

    def misses(self, asked: Collection[str]) -> bool:
        """Whether a pod that has been asked to speak, named by its uid, is gone, so that others must speak."""
        return self.speaks and not set(asked) <= set(self.present)


@dataclass(frozen=True, kw_only=True)
class RollbackReason:
    """Something that speaks against a new revision."""

    reason: str
    """One CamelCase word."""
    message: str


@dataclass(frozen=True, kw_only=True)
class AnalysisResult:
    """What has been found out so far about one subject."""

    subject: str = ""
    asked: frozenset[str] = frozenset()
    """The uids of the pods that were asked to speak: without one of them it counts no longer."""
    passed: str = ""
    """How the pods have spoken, in words, once all have; empty before."""
    rollback_reason: RollbackReason | None = None


NO_RESULT = AnalysisResult()


def pod_endpoints(pods: Sequence[Json], port: int, template: Json) -> dict[str, PodEndpoint]:
    """Where the pods of a template answer, by their name; without those that have no address yet."""
    by = admits(template)
    return {
        pod["metadata"]["name"]: PodEndpoint(f"http://[{ip}]:{port}" if ":" in ip else f"http://{ip}:{port}", uid, by)
        for pod in pods
        if (ip := pod.get("status", {}).get("podIP")) and (uid := pod["metadata"]["uid"])
    }
