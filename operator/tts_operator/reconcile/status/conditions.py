"""The state of one part of a service."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class ConditionState:
    """The state of one part of a service, to be reported as a condition."""

    ready: bool | None
    """None: unknown."""
    reason: str
    """One CamelCase word."""
    message: str
    stalled: bool = False
    """Whether it cannot become ready without help."""

    @property
    def status(self) -> str:
        """The status of the condition."""
        return "Unknown" if self.ready is None else str(self.ready)
