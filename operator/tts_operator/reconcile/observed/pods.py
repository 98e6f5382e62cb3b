"""Why pods are not ready, in words that name the cure."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from tts_operator.desired.identity import CANDIDATE, NAME_LABEL, NODE_UNREACHABLE
from tts_operator.json_object import Json
from tts_operator.printable import one_line
from tts_operator.reconcile.observed.conditions import seconds_between

MESSAGE_MAX = 600
"""Longest message of a container that is repeated in the status, in characters. Its end says most."""
REASON_MAX = 100

CURES = {
    "Unschedulable": "add nodes in the zones that lack capacity, lower resources.requests, "
    "or, if status.zoneSpread is DoNotSchedule, set placement.zoneSpread.whenUnsatisfiable: ScheduleAnyway",
    "ImagePullBackOff": "check image.repository, image.tag, and image.pullSecrets",
    "ErrImageNeverPull": "load the image onto the nodes, or set image.pullPolicy: IfNotPresent",
    "CreateContainerConfigError": "create the Secret, or correct its name and key in server.auth, "
    "server.cache.redis, or podTemplate",
    "VolumeNotBound": "set model.storage.persistentVolumeClaim.storageClassName to a class that provisions such "
    "volumes (kubectl get storageclass), or model.storage.emptyDir",
    "InvalidImageName": "correct image.repository, image.tag, or image.digest",
    NODE_UNREACHABLE: "if the node works, check its network: kubectl describe node, kubectl get pods -o wide",
    "OOMKilled": "raise resources.limits.memory, or lower server.cache.sizeMiB",
}
UNBOUND_CLAIM = "persistentvolumeclaim"
"""In what the scheduler says where it is a volume that a pod waits for."""


@dataclass(frozen=True, kw_only=True)
class Failure:
    """Why one pod is not ready."""

    pod: str
    container: str | None = None
    reason: str
    exit_code: int | None = None
    message: str = ""

    def __post_init__(self) -> None:
        """The kubelet repeats what a runtime or a pod says."""
        object.__setattr__(self, "reason", one_line(self.reason, REASON_MAX))

    def describe(self) -> str:
        """One sentence for a condition's message."""
        code = f" (exit code {self.exit_code})" if self.exit_code is not None else ""
        said = f": {self.message}" if self.message else ""
        cure = f" -- {CURES[self.reason]}" if self.reason in CURES else ""
        return f"pod {self.pod}: {self.reason}{code}{said}{cure}"

    def as_status(self) -> Json:
        """`status.lastFailure`."""
        fields = {
            "pod": self.pod,
            "container": self.container,
            "reason": self.reason,
            "exitCode": self.exit_code,
            "message": self.message or None,
        }
        return {name: value for name, value in fields.items() if value is not None}


def is_ready(pod: Json) -> bool:
    """Whether a pod can serve, and is not on its way out."""
    return "deletionTimestamp" not in pod["metadata"] and _condition(pod, "Ready").get("status") == "True"


def is_fenced(pod: Json) -> bool:
    """Whether it gets no traffic because its node does not answer."""
    return _condition(pod, "Ready").get("reason") == NODE_UNREACHABLE


def is_candidate(pod: Json) -> bool:
    """Whether a pod is of a candidate."""
    return bool(pod["metadata"].get("labels", {}).get(NAME_LABEL) == CANDIDATE)


def seconds_unready(pod: Json, now: str) -> float:
    """For how long a pod has not been ready. `now` is an RFC 3339 time."""
    since = _condition(pod, "Ready").get("lastTransitionTime") or pod["metadata"].get("creationTimestamp", now)
    return 0.0 if is_ready(pod) else seconds_between(since, now)


def has_ended(pod: Json) -> bool:
    """Whether a pod has ended for good, as evicted ones have: such pods lie about long after they were replaced."""
    return pod.get("status", {}).get("phase") in ("Failed", "Succeeded")


def ready_zones(pods: Iterable[Json], zones: dict[str, str] | Any) -> list[str]:
    """The zones in which a pod is ready, in order."""
    nodes = {pod.get("spec", {}).get("nodeName") for pod in pods if is_ready(pod)}
    return sorted({zones[node] for node in nodes if node in zones})


def last_failure(pods: Iterable[Json]) -> Failure | None:
    """The failure of the newest pod that has one. The same one at each call, so that the status is quiet."""
    present = [pod for pod in pods if "deletionTimestamp" not in pod["metadata"]]
    running = [pod for pod in present if not has_ended(pod)]
    newest_first = sorted(
        running or present,
        key=lambda pod: (pod["metadata"].get("creationTimestamp", ""), pod["metadata"]["name"]),
        reverse=True,
    )
    return next((failure for pod in newest_first if not is_ready(pod) and (failure := _failure(pod))), None)


def _failure(pod: Json) -> Failure | None:
    name = pod["metadata"]["name"]
    scheduled = _condition(pod, "PodScheduled")
    if scheduled.get("status") == "False" and scheduled.get("reason") != "SchedulingGated":
        said = _end(scheduled.get("message", ""))
        unbound = UNBOUND_CLAIM in said.lower()
        reason = "VolumeNotBound" if unbound else scheduled.get("reason", "Unschedulable")
        return Failure(pod=name, reason=reason, message=said)
    if is_fenced(pod):
        said = _condition(pod, "Ready").get("message", "")
        return Failure(pod=name, reason=NODE_UNREACHABLE, message=_end(said))
    for container in _containers(pod):
        if failure := _container_failure(name, container):
            return failure
    status = pod.get("status", {})
    if status.get("phase") == "Failed":
        return Failure(pod=name, reason=status.get("reason", "Failed"), message=_end(status.get("message", "")))
    return None


def _container_failure(pod: str, container: Json) -> Failure | None:
    """A crash is told with how the container ended, not with how long the kubelet waits."""
    state = container.get("state", {})
    ended = state.get("terminated") or container.get("lastState", {}).get("terminated")
    if ended and ended.get("exitCode") != 0:
        return Failure(
            pod=pod,
            container=container["name"],
            reason=ended.get("reason", "Error"),
            exit_code=ended.get("exitCode"),
            message=_end(ended.get("message", "")),
        )
    waiting = state.get("waiting", {})
    if waiting.get("reason") in (None, "ContainerCreating", "PodInitializing"):
        return None
    # The kubelet says the one and the other in turn; the status must not flip with it.
    reason = "ImagePullBackOff" if waiting["reason"] == "ErrImagePull" else waiting["reason"]
    return Failure(pod=pod, container=container["name"], reason=reason, message=_end(waiting.get("message", "")))


def _containers(pod: Json) -> Iterator[Json]:
    status = pod.get("status", {})
    yield from status.get("initContainerStatuses", ())
    yield from status.get("containerStatuses", ())


def _condition(pod: Json, kind: str) -> Json:
    conditions = pod.get("status", {}).get("conditions", ())
    return next((condition for condition in conditions if condition["type"] == kind), {})


def _end(message: str) -> str:
    """What a container wrote last is its own: the status shows it without controls, on one line."""
    return one_line(message, MESSAGE_MAX, end=True)
