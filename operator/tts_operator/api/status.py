"""`TTSService.status`: what the operator reports. The CRD in `crds/` is generated from this module."""

import re
from typing import Annotated, Literal

from pydantic import Field

from tts_operator.api.schema import DATE_TIME, INT32, INT64, SET, ApiModel, map_by

NAME_MAX = 253
"""Maximum length of a Kubernetes object's name."""
REASON_MAX = 1024
MESSAGE_MAX = 32768
REASON_PATTERN = r"^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$"
"""The format of a condition's reason.

Source: https://pkg.go.dev/k8s.io/apimachinery/pkg/apis/meta/v1#Condition
"""
TYPE_PATTERN = (
    r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])$"
)

SpreadInForce = Literal["DoNotSchedule", "ScheduleAnyway", "NoZones"]


def condition_reason(text: str) -> str:
    """Turn a reason from a kubelet, a runtime, or the API server into a valid reason of a condition.

    The API server rejects the whole status if one reason is malformed.
    """
    if re.fullmatch(REASON_PATTERN, text):
        return text[:REASON_MAX]
    words = re.findall(r"[A-Za-z0-9]+", text)
    found = "".join(word[0].upper() + word[1:] for word in words).lstrip("0123456789")
    return found[:REASON_MAX] or "Unknown"


def condition_message(text: str) -> str:
    """Cut the message of a condition at the length that the API accepts.

    The API server rejects the whole status if one message is too long.
    """
    return text if len(text) <= MESSAGE_MAX else f"{text[: MESSAGE_MAX - 3]}..."


class Condition(ApiModel):
    """A metav1.Condition."""

    type: str = Field(max_length=316, pattern=TYPE_PATTERN)
    """Always: Ready, Available, WorkloadReady. If the feature is used: ModelReady, RouteReady, CertificateReady,
    AutoscalingReady, BackendReady, JobsReady. Only while True: Reconciling, Stalled, Paused."""
    status: Literal["True", "False", "Unknown"]
    """True, False, or Unknown."""
    observed_generation: int = Field(ge=0, json_schema_extra=INT64)
    """Generation of the TTSService that the condition is based on."""
    last_transition_time: str = Field(json_schema_extra=DATE_TIME)
    """When the status last changed."""
    reason: str = Field(min_length=1, max_length=REASON_MAX, pattern=REASON_PATTERN)
    """One CamelCase word, for programs."""
    message: str = Field(max_length=MESSAGE_MAX)
    """The state in words, and what to do if something is wrong."""


class LastFailure(ApiModel):
    """Why the newest failing pod fails."""

    pod: str = Field(max_length=NAME_MAX)
    """Name of the pod."""
    container: str | None = Field(None, max_length=63)
    """Name of the container, if one has failed."""
    reason: str
    """For example Unschedulable, ImagePullBackOff, OOMKilled, Error."""
    exit_code: int | None = Field(None, json_schema_extra=INT32)
    """Exit code of the container, if it has ended."""
    message: str | None = None
    """The end of the message of the container, the kubelet, or the scheduler."""


class RolloutStatus(ApiModel):
    """The rollout that is in progress, or was rolled back."""

    revision: str = Field(max_length=NAME_MAX)
    """Name of the revision (ControllerRevision) that is or was rolled out."""
    phase: Literal[
        "Checking",
        "CheckingInPlace",
        "Scaling",
        "Stepping",
        "Previewing",
        "Switched",
        "Promoting",
        "RolledBack",
    ]
    """Checking: new pods start and must pass the speech check; no client reaches them. CheckingInPlace: the same
    without an additional pod (maxSurge: 0). Scaling: more pods start for the next step. Stepping: the new pods receive
    a share of the traffic. Previewing: all new pods are ready; waiting for `kubectl tts promote`. Switched: the new
    pods receive all traffic; the old ones are kept. Promoting: the old pods are replaced. RolledBack: the revision
    failed, and its pods were removed."""
    current_step: int | None = Field(None, json_schema_extra=INT32)
    """The step of a canary, counted from 1."""
    step: int | None = Field(None, json_schema_extra=INT32)
    """Deprecated: use currentStep. This one counts from 0."""
    steps: int | None = Field(None, json_schema_extra=INT32)
    """Number of steps."""
    start_time: str | None = Field(None, json_schema_extra=DATE_TIME)
    """When the rollout started. Commands identify the rollout as REVISION@STARTTIME."""
    last_transition_time: str | None = Field(None, json_schema_extra=DATE_TIME)
    """When this phase or step started."""
    since: str = Field(json_schema_extra=DATE_TIME)
    """Deprecated: use lastTransitionTime, which has the same value."""
    reason: str | None = None
    """Why it was rolled back: SpeechCheckFailed, CrashLoop, ProgressDeadlineExceeded, ErrorRate, SlowAnswers,
    Overloaded, PrometheusQuery or Aborted."""
    message: str | None = None
    """The reason in words, with figures."""


class Status(ApiModel):
    """The state of the service, as the operator last saw it."""

    observed_generation: int = Field(-1, json_schema_extra=INT64)
    """Generation of the spec that this status is based on; -1 until the operator has processed the object."""
    conditions: list[Condition] = Field([], json_schema_extra=map_by("type"))
    """Ready is the summary. Available says whether the service can serve now, at any revision."""
    url: str | None = None
    """URL for clients: the host of the Ingress or route, or otherwise the address inside the cluster."""
    model: str | None = None
    """The model that serves."""
    replicas: int | None = Field(None, json_schema_extra=INT32)
    """Number of pods."""
    ready_replicas: int | None = Field(None, json_schema_extra=INT32)
    """Number of pods that can serve."""
    fenced_replicas: int | None = Field(None, json_schema_extra=INT32)
    """Number of pods that get no traffic because their node does not respond; only while there are any."""
    updated_replicas: int | None = Field(None, json_schema_extra=INT32)
    """Number of pods of the newest revision."""
    current_revision: str | None = Field(None, max_length=NAME_MAX)
    """Name of the revision (ControllerRevision) that was last rolled out completely."""
    target_revision: str | None = Field(None, max_length=NAME_MAX)
    """Name of the revision that the spec asks for."""
    canary_weight: int | None = Field(None, json_schema_extra=INT32)
    """Percentage of traffic for the new revision; only while it is between 0 and 100."""
    rollout: RolloutStatus | None = None
    """The rollout that is in progress, or was rolled back."""
    selector: str | None = None
    """Label selector of the pods, for the scale subresource."""
    zones: list[Annotated[str, Field(max_length=63)]] | None = Field(None, json_schema_extra=SET)
    """Zones in which a pod is ready."""
    ready_zones: int | None = Field(None, json_schema_extra=INT32)
    """Number of zones in which a pod is ready."""
    zone_spread: SpreadInForce | None = None
    """How strictly the serving pods are spread over zones: as in placement.zoneSpread.whenUnsatisfiable or, if that is
    not set, depending on the nodes when the revision was created. DoNotSchedule: a pod that would violate the spread
    waits; the nodes were in two or more zones. ScheduleAnyway: it runs anyway; there was one zone, or the operator may
    not read nodes. NoZones: no node had the label topologyKey; the pods are only spread over nodes. To decide again,
    set the annotation tts-operator.io/refresh to a new value."""
    last_failure: LastFailure | None = None
    """Why the newest failing pod fails; only while one does."""
