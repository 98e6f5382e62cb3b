"""`TTSService.status`: what the operator reports. The CRD in `crds/` is generated from this file."""

import re
from typing import Annotated, Literal

from pydantic import Field

from tts_operator.api.schema import DATE_TIME, INT32, INT64, SET, ApiModel, map_by

NAME_MAX = 253
"""Longest name of a Kubernetes object."""
REASON_MAX = 1024
MESSAGE_MAX = 32768
REASON_PATTERN = r"^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$"
"""What a condition's reason must look like.

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
    """Always: Ready, Available, WorkloadReady. While their feature is on: ModelReady, RouteReady, CertificateReady,
    AutoscalingReady. Only while true: Reconciling, Stalled, Paused."""
    status: Literal["True", "False", "Unknown"]
    """True, False or Unknown."""
    observed_generation: int = Field(ge=0, json_schema_extra=INT64)
    """The generation of the TTSService that this was decided for."""
    last_transition_time: str = Field(json_schema_extra=DATE_TIME)
    """When the status last changed."""
    reason: str = Field(min_length=1, max_length=REASON_MAX, pattern=REASON_PATTERN)
    """One CamelCase word, for programs."""
    message: str = Field(max_length=MESSAGE_MAX)
    """What is the case and, where something is wrong, what to do."""


class LastFailure(ApiModel):
    """Why the most recent failing pod fails."""

    pod: str = Field(max_length=NAME_MAX)
    """Name of the pod."""
    container: str | None = Field(None, max_length=63)
    """Name of the container; left out when the pod did not get as far."""
    reason: str
    """For example Unschedulable, ImagePullBackOff, OOMKilled, Error."""
    exit_code: int | None = Field(None, json_schema_extra=INT32)
    """Exit code of the container, where it ended."""
    message: str | None = None
    """The end of what the container, the kubelet or the scheduler said."""


class RolloutStatus(ApiModel):
    """The rollout that is going on, or was rolled back."""

    revision: str = Field(max_length=NAME_MAX)
    """The revision (ControllerRevision) that it is about."""
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
    """Checking: new pods are started, and must speak; no client reaches them. CheckingInPlace: the same where there is
    no room for one pod more. Scaling: more pods for the next step. Stepping: a share of the traffic is theirs.
    Previewing: all are there, and wait for `kubectl tts promote`. Switched: all traffic is theirs, the old ones are
    kept. Promoting: the old ones are replaced. RolledBack: it has failed, and was removed."""
    current_step: int | None = Field(None, json_schema_extra=INT32)
    """The step of a canary, counted from 1."""
    step: int | None = Field(None, json_schema_extra=INT32)
    """Deprecated: use currentStep. This one counts from 0."""
    steps: int | None = Field(None, json_schema_extra=INT32)
    """How many steps there are."""
    start_time: str | None = Field(None, json_schema_extra=DATE_TIME)
    """When the rollout began. Commands name the rollout as REVISION@STARTTIME."""
    last_transition_time: str | None = Field(None, json_schema_extra=DATE_TIME)
    """When this phase or step began."""
    since: str = Field(json_schema_extra=DATE_TIME)
    """Deprecated: use lastTransitionTime, which has the same value."""
    reason: str | None = None
    """Why it was rolled back: SpeechCheckFailed, CrashLoop, ProgressDeadlineExceeded, ErrorRate, SlowAnswers,
    Overloaded, PrometheusQuery or Aborted."""
    message: str | None = None
    """The same in words, with figures."""


class Status(ApiModel):
    """The state of the service, as the operator last saw it."""

    observed_generation: int = Field(-1, json_schema_extra=INT64)
    """The generation of the spec that this status speaks of; -1 until the operator has seen the object."""
    conditions: list[Condition] = Field([], json_schema_extra=map_by("type"))
    """Ready is the summary; Available says whether the service can serve now, at any revision."""
    url: str | None = None
    """Where clients reach the service: by the host of the Ingress or the route, or else inside the cluster."""
    model: str | None = None
    """The model that speaks."""
    replicas: int | None = Field(None, json_schema_extra=INT32)
    """Pods that exist."""
    ready_replicas: int | None = Field(None, json_schema_extra=INT32)
    """Pods that can serve."""
    fenced_replicas: int | None = Field(None, json_schema_extra=INT32)
    """Pods that get no traffic because their node does not answer; only while there are some."""
    updated_replicas: int | None = Field(None, json_schema_extra=INT32)
    """Pods of the newest revision."""
    current_revision: str | None = Field(None, max_length=NAME_MAX)
    """The revision (ControllerRevision) that was last rolled out in full."""
    target_revision: str | None = Field(None, max_length=NAME_MAX)
    """The revision that the spec asks for."""
    canary_weight: int | None = Field(None, json_schema_extra=INT32)
    """Percent of the traffic that the new revision gets; only while it gets some, but not all."""
    rollout: RolloutStatus | None = None
    """The rollout that is going on, or was rolled back; none otherwise."""
    selector: str | None = None
    """Label selector of the pods, for the scale subresource."""
    zones: list[Annotated[str, Field(max_length=63)]] | None = Field(None, json_schema_extra=SET)
    """Zones in which a pod is ready."""
    ready_zones: int | None = Field(None, json_schema_extra=INT32)
    """Number of zones in which a pod is ready."""
    zone_spread: SpreadInForce | None = None
    """How strictly the pods that serve are spread over zones: as placement.zoneSpread.whenUnsatisfiable says or, where
    it says nothing, as the nodes were when the pods' revision was made. DoNotSchedule: a pod that would break the
    spread waits; the nodes were in two or more zones. ScheduleAnyway: it runs all the same; there was one zone, or the
    operator may not read the nodes. NoZones: no node had the label topologyKey; the pods are spread over nodes only. To
    have it decided anew, give the annotation tts-operator.io/refresh a new value."""
    last_failure: LastFailure | None = None
    """Why the most recent failing pod fails; only while one does."""
