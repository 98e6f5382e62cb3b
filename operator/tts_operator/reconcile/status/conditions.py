"""What is said of one part of a service."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class ConditionState:
    """How one part of a service is doing."""

    ready: bool | None
    """None: it is not known."""
    reason: str
    """One CamelCase word."""
    message: str
    stalled: bool = False
    """It will not get ready by itself."""

    @property
    def status(self) -> str:
        """The status of a condition."""
        return "Unknown" if self.ready is None else str(self.ready)
