"""What is known of one TTSService's world when a decision is made."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tts_operator.api import Json, TTSService
from tts_operator.api.model import Model
from tts_operator.kube.resources import CONTROLLER_REVISIONS
from tts_operator.reconcile.observed.ownership import owned_by
from tts_operator.reconcile.status.conditions import ConditionState

Address = tuple[str, str, str]
"""apiVersion, kind and name of a child; its namespace is that of the TTSService."""


def address(body: Json) -> Address:
    """The address of a manifest or a live object."""
    return body["apiVersion"], body["kind"], body["metadata"]["name"]


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """A child that the API server, for good, does not accept."""

    child: str
    """Kind and name, for people."""
    reason: str
    """One CamelCase word."""
    message: str


@dataclass(frozen=True, kw_only=True)
class Observed:
    """The live children and pods of one TTSService."""

    children: Mapping[Address, Json] = field(default_factory=dict)
    """Live objects that bear a child's name or belong to the service."""
    pods: Sequence[Json] = ()
    zones: Mapping[str, str] = field(default_factory=dict)
    """Zone of each node, by the node's name."""
    nodes: Iterable[Mapping[str, str]] = ()
    """Labels of each node; none where the nodes cannot be read."""
    unserved: Collection[tuple[str, str]] = frozenset()
    """apiVersion and kind of what the API server does not serve, because its CRD is not installed."""

    without: Collection[tuple[str, str]] = frozenset()
    """apiVersion and kind of what this operator was told to do without, and has no rights to."""

    def child(self, api_version: str, kind: str, name: str) -> Json | None:
        """One live child."""
        return self.children.get((api_version, kind, name))

    def has(self, api_version: str, kind: str, name: str) -> bool:
        """Whether there is such a child, and it is not about to go."""
        live = self.child(api_version, kind, name)
        return live is not None and "deletionTimestamp" not in live["metadata"]

    def history(self, service: TTSService) -> list[Json]:
        """The revisions that there have been."""
        kind = CONTROLLER_REVISIONS.kind
        return [body for body in self.children.values() if body["kind"] == kind and owned_by(body, service)]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of carrying out a plan."""

    refusals: Sequence[Refusal] = ()
    """What the API server did not accept."""
    violation: str = ""
    """What the policy does not allow, so that nothing was done."""
    held: int = 0
    """Children that are not as the spec wants them, and are left so because it is paused."""
    trouble: str = ""
    """What the API server said when it could not do as asked, for now."""
    missing: Sequence[str] = ()
    """Kinds that the spec asks for, and the API server does not serve or the operator does without."""
    revision: str = ""
    """Name of the revision that the spec asks for."""
    running: str = ""
    """Name of the revision that the Deployment was given, where it is another."""
    model: Model | None = None
    """The model of the revision that serves; None where none is known."""
    current: str = ""
    """Name of the revision that has just been rolled out in full."""
    rollout: ConditionState | None = None
    """How the rollout is doing; None where there is none."""
    undone: ConditionState | None = None
    """What is wrong though all works: somebody has asked for an older revision than the spec."""
    state: Mapping[str, Any] | None = None
    """Becomes `status.rollout`."""
    spread: str = ""
    """How strictly the revision that serves is spread over zones; empty where that is not known."""
    share: int = 0
    """Percent of the traffic that a canary has."""
    updated: int | None = None
    """How many pods are of the revision that is being rolled out; None: as the Deployment counts them."""
