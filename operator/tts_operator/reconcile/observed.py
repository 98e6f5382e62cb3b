"""What is known of one TTSService's world when a decision is made."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tts_operator.api import Json

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
    refusals: Sequence[Refusal] = ()
    """What was refused when it was last applied."""
    held: int = 0
    """Children that are not as the spec wants them, and are left so because it is paused."""
    trouble: str = ""
    """What the API server said when it could not do as asked, for now."""

    def child(self, api_version: str, kind: str, name: str) -> Json | None:
        """One live child."""
        return self.children.get((api_version, kind, name))
