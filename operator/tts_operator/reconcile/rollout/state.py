"""The state of a rollout, kept in `status.rollout`, so that a restarted operator continues where the last one was."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from tts_operator.json_object import Json
from tts_operator.reconcile.observed.conditions import seconds_between


class Phase(StrEnum):
    """The phases of a rollout. `kubectl explain ttsservice.status.rollout.phase` describes them."""

    CHECKING = "Checking"
    CHECKING_IN_PLACE = "CheckingInPlace"
    SCALING = "Scaling"
    STEPPING = "Stepping"
    PREVIEWING = "Previewing"
    SWITCHED = "Switched"
    PROMOTING = "Promoting"
    ROLLED_BACK = "RolledBack"


@dataclass(frozen=True, kw_only=True)
class RolloutState:
    """The state of a rollout."""

    revision: str
    """Name of the update revision."""
    phase: Phase
    started: str
    """RFC 3339: when the rollout started; empty if an operator started it that did not record this."""
    since: str
    """RFC 3339: when the phase or step started."""
    step: int | None = None
    """Index of the canary step in the spec, counted from 0."""
    steps: int | None = None
    reason: str = ""
    message: str = ""

    @classmethod
    def read(cls, status: Mapping[str, Any]) -> "RolloutState | None":
        """Read the status of a TTSService. None without a rollout, or with a phase unknown to this operator."""
        told = status.get("rollout")
        if not told or told.get("phase") not in list(Phase):
            return None
        return cls(
            revision=told["revision"],
            phase=Phase(told["phase"]),
            started=told.get("startTime", ""),
            since=told.get("lastTransitionTime") or told["since"],
            step=told["currentStep"] - 1 if "currentStep" in told else told.get("step"),
            steps=told.get("steps"),
            reason=told.get("reason", ""),
            message=told.get("message", ""),
        )

    def as_status(self) -> Json:
        """`status.rollout`."""
        fields: Json = {
            "revision": self.revision,
            "phase": str(self.phase),
            "currentStep": None if self.step is None else self.step + 1,
            "step": self.step,
            "steps": self.steps,
            "startTime": self.started or None,
            "lastTransitionTime": self.since,
            "since": self.since,
            "reason": self.reason or None,
            "message": self.message or None,
        }
        return {name: value for name, value in fields.items() if value is not None}

    @property
    def rollout(self) -> str:
        """The name for commands: identifies this rollout, but no later one to the same revision."""
        return f"{self.revision}@{self.started}" if self.started else self.revision

    @property
    def promotions(self) -> tuple[str, ...]:
        """The promotions that apply now: of the whole rollout, or of this place.

        The last form is that of earlier plugins: the step counted from 0, or 1 after a switch.
        """
        switched = self.phase is Phase.SWITCHED
        if self.step is None:
            place, number = "switched" if switched else "preview", int(switched)
        else:
            place, number = f"step-{self.step + 1}", self.step
        return self.rollout, f"{self.rollout}/{place}", f"{self.rollout}/{number}"

    @property
    def subject(self) -> str:
        """The subject of the analysis in this state."""
        return f"{self.revision}/{self.phase}/{self.step}/{self.since}"

    def elapsed(self, now: str) -> float:
        """Seconds since the phase or step started."""
        return seconds_between(self.since, now)
