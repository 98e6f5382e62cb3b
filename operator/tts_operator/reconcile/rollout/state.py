"""Where a rollout is: what `status.rollout` holds, so that a restarted operator goes on where the last one was."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from tts_operator.json_object import Json
from tts_operator.reconcile.observed.conditions import seconds_between


class Phase(StrEnum):
    """The phases of a rollout, as `kubectl explain ttsservice.status.rollout.phase` tells them."""

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
    """Where a rollout is."""

    revision: str
    """Name of the revision that it is about."""
    phase: Phase
    started: str
    """RFC 3339: when the rollout began; empty for one that an operator of before there was this began."""
    since: str
    """RFC 3339: when the phase, or the step, began."""
    step: int | None = None
    """The step of a canary, counted from 0 as an index of the spec's steps."""
    steps: int | None = None
    reason: str = ""
    message: str = ""

    @classmethod
    def read(cls, status: Mapping[str, Any]) -> "RolloutState | None":
        """From the status of a TTSService; None where no rollout is told of, or none that this operator knows."""
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
        """What a command names: this rollout, and no later one to the same revision."""
        return f"{self.revision}@{self.started}" if self.started else self.revision

    @property
    def promotions(self) -> tuple[str, ...]:
        """The commands that ask to go on from here: to the end, or from this place alone.

        The last one is that of a plugin before places had names: the step counted from 0, or 1 after a switch.
        """
        switched = self.phase is Phase.SWITCHED
        if self.step is None:
            place, number = "switched" if switched else "preview", int(switched)
        else:
            place, number = f"step-{self.step + 1}", self.step
        return self.rollout, f"{self.rollout}/{place}", f"{self.rollout}/{number}"

    @property
    def subject(self) -> str:
        """What findings are about."""
        return f"{self.revision}/{self.phase}/{self.step}/{self.since}"

    def elapsed(self, now: str) -> float:
        """Seconds since the phase or step began."""
        return seconds_between(self.since, now)
