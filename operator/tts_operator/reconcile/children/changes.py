"""What is to be changed about the children, and what came of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tts_operator.json_object import Json
from tts_operator.kube.errors import ApiError
from tts_operator.reconcile.observed.snapshot import Address


@dataclass(frozen=True, kw_only=True)
class Changes:
    """Requests that are to be made."""

    apply: Sequence[Json] = ()
    """Manifests, in this order."""
    kept: Mapping[Address, Json] = field(default_factory=dict)
    """By the address of a manifest: what another field manager takes over before that manifest is applied."""
    delete: Sequence[Json] = ()
    """Live objects that are ours and no longer wanted."""


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """A child that the API server, for good, does not accept."""

    child: str
    """Kind and name, for people."""
    reason: str
    """One CamelCase word."""
    message: str


@dataclass(frozen=True, kw_only=True)
class Applied:
    """What came of the requests."""

    refusals: Sequence[Refusal] = ()
    """What the API server did not accept, and will not accept when asked again."""
    failure: ApiError | None = None
    """An answer that asks for another try."""

    @property
    def complete(self) -> bool:
        """Whether every request went well."""
        return not self.refusals and self.failure is None
