"""TTSServices in every state of a rollout, as the API server would return them."""

from __future__ import annotations

import datetime
from typing import Any

from tts_operator.cli.view import Service, revisions, service
from tts_operator.cli.wording import Names, Typed
from tts_operator.json_object import Json

NOW = datetime.datetime(2026, 11, 25, 12, 0, tzinfo=datetime.timezone.utc)
ROLLOUT = "narrator-6@2026-11-25T11:00:00Z"
TYPED = Typed(name="narrator")
STEPS = [{"weight": 10, "holdSeconds": 120}, {"weight": 50}, {"weight": 100, "holdSeconds": 0}]


def ago(seconds: float) -> str:
    return (NOW - datetime.timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z")


def body(
    *,
    current: str | None = "narrator-5",
    target: str | None = "narrator-5",
    rollout: Json | None = None,
    spec: Json | None = None,
    annotations: dict[str, str] | None = None,
    seen: int = 7,
    conditions: dict[str, str] | None = None,
    **more: Any,
) -> Json:
    """`conditions` are those that are True, with their reasons."""
    status: Json = {
        "observedGeneration": seen,
        "currentRevision": current,
        "targetRevision": target,
        "rollout": rollout,
        "replicas": 4,
        "readyReplicas": 3,
        "updatedReplicas": 1,
        "conditions": [
            {"type": kind, "status": "True", "reason": reason, "message": f"{reason} it is."}
            for kind, reason in (conditions or {}).items()
        ],
        **more,
    }
    metadata = {"name": "narrator", "namespace": "speech", "generation": 7, "resourceVersion": "99"}
    return {
        "metadata": {**metadata, "annotations": annotations or {}},
        "spec": spec or {},
        "status": {key: value for key, value in status.items() if value is not None},
    }


def a_service(**more: Any) -> Service:
    return service(body(**more))


def rolling_out(phase: str, *, revision: str = "narrator-6", since: float = 30, **more: Any) -> Json:
    return {
        "revision": revision,
        "phase": phase,
        "startTime": ago(3600),
        "lastTransitionTime": ago(since),
        "since": ago(since),
        "message": f"{phase} it is.",
        **more,
    }


def canary(step: int = 2, *, since: float = 30, phase: str = "Stepping", **more: Any) -> Service:
    rollout = rolling_out(phase, since=since, currentStep=step, step=step - 1, steps=3)
    spec = {"rollout": {"strategy": "Canary", "canary": {"steps": STEPS}, **more.pop("rollout_spec", {})}}
    return a_service(target="narrator-6", rollout=rollout, spec=spec, canaryWeight=50, **more)


def blue_green(phase: str = "Previewing", **more: Any) -> Service:
    spec = {"rollout": {"strategy": "BlueGreen"}}
    return a_service(target="narrator-6", rollout=rolling_out(phase), spec=spec, **more)


def rolled_back(**more: Any) -> Service:
    rollout = rolling_out("RolledBack", since=240, reason="SpeechCheckFailed")
    return a_service(target="narrator-6", rollout=rollout, conditions={"Stalled": "RolledBack"}, **more)


def undone(**more: Any) -> Service:
    annotations = {"tts-operator.io/undo": "narrator-4@narrator-6/6"}
    return a_service(current="narrator-4", target="narrator-6", annotations=annotations, **more)


def controller_revision(
    number: int,
    *,
    image: str = "speech:v1",
    cause: str | None = None,
    env: list[Json] | None = None,
    was_stable: bool = False,
) -> Json:
    annotations = {"tts-operator.io/cause": cause} if cause else {}
    annotations |= {"tts-operator.io/was-stable": "true"} if was_stable else {}
    container = {"name": "server", "image": image, "env": env or []}
    return {
        "metadata": {"name": f"narrator-{number}", "creationTimestamp": ago(3600), "annotations": annotations},
        "revision": number,
        "data": {
            "inputs": {"model": {"engine": "fastspeech2"}, "server": {"maxInputCharacters": number * 100}},
            "template": {"spec": {"containers": [{"name": "sidecar", "image": "other"}, container]}},
        },
    }


NAMES = Names(revisions(controller_revision(number) for number in (6, 4, 5, 3)))
"""As an operator leaves them that does not mark what was stable."""


def marked(*, stable: set[int]) -> Names:
    """The same, with marks."""
    return Names(revisions(controller_revision(number, was_stable=number in stable) for number in (6, 4, 5, 3)))
