"""Changes to the children, and their results."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tts_operator.json_object import Json
from tts_operator.kube.errors import ApiError
from tts_operator.reconcile.observed.snapshot import Address


@dataclass(frozen=True, kw_only=True)
class Changes:
    """Requests to make."""

    apply: Sequence[Json] = ()
    """Manifests to apply, in this order."""
    kept: Mapping[Address, Json] = field(default_factory=dict)
    """By the address of a manifest: fields that another field manager takes over before that manifest is applied."""
    delete: Sequence[Json] = ()
    """Live objects of ours that are no longer wanted."""


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """A child that the API server permanently rejects."""

    child: str
    """Kind and name, for people."""
    reason: str
    """One CamelCase word."""
    message: str


@dataclass(frozen=True, kw_only=True)
class Applied:
    """The result of the requests."""

    refusals: Sequence[Refusal] = ()
    """What the API server rejected, and would reject again."""
    failure: ApiError | None = None
    """An error that a retry may cure."""

    @property
    def complete(self) -> bool:
        """Whether every request succeeded."""
        return not self.refusals and self.failure is None
