"""The parts of a TTSService and its ControllerRevisions that the plugin reads."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from tts_operator.json_object import Json
from tts_operator.printable import one_line

GROUP = "tts-operator.io"
VERSION = "v1alpha1"
TTSSERVICES = f"ttsservices.{GROUP}"
"""The resource name for kubectl, unambiguous even if another API group has the same one."""
PROMOTE = f"{GROUP}/promote"
ABORT = f"{GROUP}/abort"
UNDO = f"{GROUP}/undo"
CAUSE = f"{GROUP}/cause"
WAS_STABLE = f"{GROUP}/was-stable"
"""On a ControllerRevision: "true" if it was stable when a rollout of another one began."""
CONTAINER = "server"
"""The model server's container in a pod template."""
BACKEND, BACKEND_WRITER = "backend", "write-models"
"""The container of a backend, and the init container that writes Triton's models."""
SHOWN_MAX = 4000
"""Maximum characters of a message, a cause, or a name: whoever wrote it must not be able to flood a terminal."""


@dataclass(frozen=True, kw_only=True)
class Rollout:
    """`status.rollout`: the revision that is being rolled out, or was rolled back."""

    revision: str
    phase: str
    step: int | None
    """Counted from 1."""
    place: str
    """What a promotion names: `step-2`, `preview` or `switched`; for an older operator the step, counted from 0."""
    steps: int | None
    started: str
    """`status.rollout.startTime`; empty if an older operator started the rollout."""
    since: datetime.datetime | None
    """When this phase or step began."""
    reason: str
    message: str

    @property
    def name(self) -> str:
        """The name for commands: identifies this rollout, but no later one to the same revision."""
        return f"{self.revision}@{self.started}" if self.started else self.revision

    @property
    def rolled_back(self) -> bool:
        """Whether the rollout failed and was rolled back."""
        return self.phase == "RolledBack"


@dataclass(frozen=True, kw_only=True)
class Condition:
    """One condition of the status."""

    status: str
    reason: str
    message: str


@dataclass(frozen=True, kw_only=True)
class SecretKey:
    """One key of a Secret."""

    name: str
    key: str


@dataclass(frozen=True, kw_only=True)
class Service:
    """One TTSService."""

    name: str
    namespace: str
    generation: int
    seen: int
    """The generation that the status describes."""
    resource_version: str
    deleting: bool
    annotations: Mapping[str, str]
    strategy: str
    holds: tuple[int | None, ...]
    """Seconds that each canary step lasts; None: until it is promoted."""
    rollout_paused: bool
    paused: bool
    """Whether the operator makes no changes at all (`spec.paused`)."""
    current: str
    """Name of the stable revision; empty if there is none yet."""
    target: str
    """Name of the revision that the spec asks for."""
    weight: int | None
    """Percentage of traffic that a canary gets."""
    replicas: int
    ready: int
    updated: int
    rollout: Rollout | None
    reported: Mapping[str, Any]
    """`status.rollout` as received, with strings made printable."""
    conditions: Mapping[str, Condition]
    created: datetime.datetime | None
    model: str
    """The model that serves; empty until one does."""
    url: str
    zones: int | None
    """Number of zones in which a pod is ready; None if an older operator does not tell."""
    spread: str
    """How strictly pods are spread over zones (`status.zoneSpread`)."""
    failure: str
    """Why the newest failing pod fails; empty if none does."""
    failure_reason: str
    """The same in one word."""
    api_keys: SecretKey | None
    """Where the API keys are that clients must send; None: they need none."""

    @property
    def undone_to(self) -> str:
        """Name of the revision that runs instead of the one that the spec asks for; empty if none does."""
        to, _, instead_of = self.annotations.get(UNDO, "").rpartition("@")
        return to if instead_of.partition("/")[0] == self.target else ""

    def beside(self, revisions: Iterable[Revision]) -> Service:
        """Drop an undo that belongs to an earlier time at which the spec asked for its current revision."""
        number = self.annotations.get(UNDO, "").rpartition("@")[2].partition("/")[2]
        target = next((each for each in revisions if each.name == self.target), None)
        if not number or target is None or number == str(target.number):
            return self
        return replace(self, annotations={key: value for key, value in self.annotations.items() if key != UNDO})

    @property
    def going_on(self) -> Rollout | None:
        """The rollout in progress, if any."""
        return None if self.rollout is None or self.rollout.rolled_back else self.rollout

    def true(self, kind: str) -> Condition | None:
        """The condition of this type, if it is True."""
        found = self.conditions.get(kind)
        return found if found and found.status == "True" else None


@dataclass(frozen=True, kw_only=True)
class Revision:
    """One ControllerRevision."""

    name: str
    number: int
    created: datetime.datetime | None
    cause: str
    inputs: Json
    template: Json
    was_stable: bool
    """Whether it was stable before another one was rolled out. An older operator does not tell."""

    @property
    def model(self) -> str:
        """The model: its name and revision on the hub, or else the engine."""
        model = self.inputs.get("model") or {}
        name = str(model.get("name") or model.get("engine") or "-")
        return one_line(f"{name}@{model['revision']}" if model.get("revision") else name, SHOWN_MAX)

    @property
    def image(self) -> str:
        """The model server's image."""
        containers = (self.template.get("spec") or {}).get("containers") or []
        images = (one_line(each.get("image", "-"), SHOWN_MAX) for each in containers if each.get("name") == CONTAINER)
        return next(images, "-")


def service(body: Json) -> Service:
    """Parse a TTSService. Fields that an older operator lacks count as unset."""
    metadata, spec, status = body["metadata"], body.get("spec") or {}, body.get("status") or {}
    rollout = spec.get("rollout") or {}
    steps = (rollout.get("canary") or {}).get("steps") or []
    return Service(
        name=metadata["name"],
        namespace=metadata.get("namespace", ""),
        generation=metadata.get("generation", 0),
        seen=status.get("observedGeneration", -1),
        resource_version=metadata.get("resourceVersion", ""),
        deleting="deletionTimestamp" in metadata,
        annotations=metadata.get("annotations") or {},
        strategy=rollout.get("strategy", "Rolling"),
        holds=tuple(step.get("holdSeconds") for step in steps),
        rollout_paused=bool(rollout.get("paused")),
        paused=bool(spec.get("paused")),
        current=status.get("currentRevision", ""),
        target=status.get("targetRevision", ""),
        weight=status.get("canaryWeight"),
        replicas=status.get("replicas", 0),
        ready=status.get("readyReplicas", 0),
        updated=status.get("updatedReplicas", 0),
        rollout=_rollout(status["rollout"]) if status.get("rollout") else None,
        reported={
            name: one_line(value, SHOWN_MAX) if isinstance(value, str) else value
            for name, value in (status.get("rollout") or {}).items()
        },
        conditions={each["type"]: _condition(each) for each in status.get("conditions") or []},
        created=time_of(metadata.get("creationTimestamp")),
        model=one_line(status.get("model", ""), SHOWN_MAX),
        url=one_line(status.get("url", ""), SHOWN_MAX),
        zones=status.get("readyZones"),
        spread=status.get("zoneSpread", ""),
        failure=_failure(status.get("lastFailure")),
        failure_reason=one_line((status.get("lastFailure") or {}).get("reason", ""), SHOWN_MAX),
        api_keys=_secret_key(((spec.get("server") or {}).get("auth") or {}).get("apiKeysSecretRef")),
    )


def revisions(bodies: Iterable[Json]) -> list[Revision]:
    """Parse ControllerRevisions, oldest first."""
    return sorted(map(_revision, bodies), key=lambda each: each.number)


def _revision(body: Json) -> Revision:
    metadata, data = body["metadata"], body.get("data") or {}
    annotations = metadata.get("annotations") or {}
    return Revision(
        name=metadata["name"],
        number=body["revision"],
        created=time_of(metadata.get("creationTimestamp")),
        cause=one_line(annotations.get(CAUSE, ""), SHOWN_MAX),
        inputs=data.get("inputs") or {},
        template=data.get("template") or {},
        was_stable=annotations.get(WAS_STABLE) == "true",
    )


def _rollout(body: Json) -> Rollout:
    step = body.get("currentStep") or (body["step"] + 1 if "step" in body else None)
    switched = body.get("phase") == "Switched"
    if "lastTransitionTime" not in body:
        place = str(int(switched) if step is None else step - 1)
    elif step is None:
        place = "switched" if switched else "preview"
    else:
        place = f"step-{step}"
    return Rollout(
        revision=body.get("revision", ""),
        phase=body.get("phase", ""),
        step=step,
        place=place,
        steps=body.get("steps"),
        started=body.get("startTime") or "",
        since=time_of(body.get("lastTransitionTime") or body.get("since")),
        reason=one_line(body.get("reason", ""), SHOWN_MAX),
        message=one_line(body.get("message", ""), SHOWN_MAX),
    )


def _failure(body: Json | None) -> str:
    if not body:
        return ""
    container = f", container {body['container']}" if body.get("container") else ""
    code = f", exit code {body['exitCode']}" if "exitCode" in body else ""
    message = f": {body['message']}" if body.get("message") else ""
    return one_line(f"{body.get('reason', '')} ({body.get('pod', '')}{container}{code}){message}", SHOWN_MAX)


def _secret_key(body: Json | None) -> SecretKey | None:
    return SecretKey(name=body["name"], key=body["key"]) if body else None


def _condition(body: Json) -> Condition:
    return Condition(
        status=body.get("status", "Unknown"),
        reason=one_line(body.get("reason", ""), SHOWN_MAX),
        message=one_line(body.get("message", ""), SHOWN_MAX),
    )


def time_of(text: str | None) -> datetime.datetime | None:
    """Parse RFC 3339. Python 3.10 does not accept the `Z`."""
    try:
        return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")) if text else None
    except ValueError:
        return None
