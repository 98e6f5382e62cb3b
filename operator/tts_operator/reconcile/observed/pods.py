"""Why pods are not ready, and what to do about it."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from tts_operator.desired.identity import BACKEND, CANDIDATE, NAME_LABEL, NODE_UNREACHABLE, WORKER
from tts_operator.desired.pod.backend import CONTAINER as BACKEND_CONTAINER
from tts_operator.json_object import Json
from tts_operator.objects import ContainerStatus, Pod
from tts_operator.printable import one_line
from tts_operator.reconcile.observed.conditions import condition_of, seconds_between

MESSAGE_MAX = 600
"""Maximum characters of a container's message in the status. Its end is kept, which is the most informative part."""
REASON_MAX = 100

CURES = {
    "Unschedulable": "add nodes in the zones that lack capacity, lower resources.requests, "
    "or, if status.zoneSpread is DoNotSchedule, set placement.zoneSpread.whenUnsatisfiable: ScheduleAnyway",
    "ImagePullBackOff": "check image.repository, image.tag, and image.pullSecrets",
    "ErrImageNeverPull": "load the image onto the nodes, or set image.pullPolicy: IfNotPresent",
    "CreateContainerConfigError": "create the Secret, or correct its name and key in server.auth, "
    "server.cache.redis, jobs, or podTemplate",
    "VolumeNotBound": "set persistentVolumeClaim.storageClassName in model.storage or jobs.storage to a class that "
    "provisions such volumes (kubectl get storageclass), or use model.storage.emptyDir or jobs.storage.s3",
    "InvalidImageName": "correct image.repository, image.tag, or image.digest",
    NODE_UNREACHABLE: "if the node works, check its network: kubectl describe node, kubectl get pods -o wide",
    "OOMKilled": "raise resources.limits.memory, or lower server.cache.sizeMiB",
}
BACKEND_CURES = {
    "Unschedulable": "add nodes with what backend needs, such as GPUs and their device plugin, lower its resources, or "
    "set nodeSelector and tolerations in backend.placement (for a sidecar, in placement)",
    "ImagePullBackOff": "check image of backend's container, and image.pullSecrets",
    "ErrImageNeverPull": "load the image onto the nodes, or set imagePullPolicy: IfNotPresent for backend's container",
    "CreateContainerConfigError": "create the Secret or ConfigMap, or correct its name and key in env of backend's "
    "container; if the image runs as root, set runAsUser there",
    "InvalidImageName": "correct image of backend's container",
    "VolumeNotBound": "create the claim, or correct its name in backend.volumes",
    "OOMKilled": "raise resources.limits.memory of backend's container, or take a smaller model",
}
"""Likewise, for the container of a backend."""
UNBOUND_CLAIM = "persistentvolumeclaim"
"""Occurs in the scheduler's message if a pod waits for a volume."""


@dataclass(frozen=True, kw_only=True)
class Failure:
    """Why one pod is not ready."""

    pod: str
    container: str | None = None
    reason: str
    exit_code: int | None = None
    message: str = ""
    of_backend: bool = False
    """Whether the backend fails, and not the server."""

    def __post_init__(self) -> None:
        """Sanitize the reason, which may come from a runtime or a pod."""
        object.__setattr__(self, "reason", one_line(self.reason, REASON_MAX))

    def describe(self) -> str:
        """Describe the failure in one sentence, for a condition's message."""
        code = f" (exit code {self.exit_code})" if self.exit_code is not None else ""
        said = f": {self.message}" if self.message else ""
        cures = BACKEND_CURES if self.of_backend else CURES
        cure = f" -- {cures[self.reason]}" if self.reason in cures else ""
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


def is_ready(pod: Pod) -> bool:
    """Whether a pod is ready and not being deleted."""
    return "deletionTimestamp" not in pod["metadata"] and condition_of(pod, "Ready").get("status") == "True"


def is_fenced(pod: Pod) -> bool:
    """Whether a pod gets no traffic because its node does not respond."""
    return condition_of(pod, "Ready").get("reason") == NODE_UNREACHABLE


def is_candidate(pod: Pod) -> bool:
    """Whether a pod belongs to the candidate."""
    return bool(pod["metadata"].get("labels", {}).get(NAME_LABEL) == CANDIDATE)


def is_worker(pod: Pod) -> bool:
    """Whether a pod is a worker of jobs, which serves no clients."""
    return bool(pod["metadata"].get("labels", {}).get(NAME_LABEL) == WORKER)


def is_backend(pod: Pod) -> bool:
    """Whether a pod belongs to a separate backend."""
    return bool(pod["metadata"].get("labels", {}).get(NAME_LABEL) == BACKEND)


def seconds_unready(pod: Pod, now: str) -> float:
    """Seconds since the pod was last ready, or was created; 0 if it is ready. `now` is an RFC 3339 time."""
    since = condition_of(pod, "Ready").get("lastTransitionTime") or pod["metadata"].get("creationTimestamp") or now
    return 0.0 if is_ready(pod) else seconds_between(since, now)


def has_ended(pod: Pod) -> bool:
    """Whether a pod has terminated for good, as evicted ones have. Such pods remain long after their replacement."""
    return pod.get("status", {}).get("phase") in ("Failed", "Succeeded")


def ready_zones(pods: Iterable[Pod], zones: Mapping[str, str]) -> list[str]:
    """The zones in which a pod is ready, sorted."""
    nodes = {pod.get("spec", {}).get("nodeName") or "" for pod in pods if is_ready(pod)}
    return sorted({zones[node] for node in nodes if node in zones})


def last_failure(pods: Iterable[Pod]) -> Failure | None:
    """The failure of the newest failing pod. Deterministic, so that the status does not flap."""
    present = [pod for pod in pods if "deletionTimestamp" not in pod["metadata"]]
    running = [pod for pod in present if not has_ended(pod)]
    newest_first = sorted(
        running or present,
        key=lambda pod: (pod["metadata"].get("creationTimestamp", ""), pod["metadata"]["name"]),
        reverse=True,
    )
    return next((failure for pod in newest_first if not is_ready(pod) and (failure := _failure_of(pod))), None)


def _failure_of(pod: Pod) -> Failure | None:
    """Why a pod is not ready; None if it only starts."""
    found = _failure(pod)
    if found is not None and (is_backend(pod) or found.container == BACKEND_CONTAINER):
        return replace(found, of_backend=True)
    return found


def _failure(pod: Pod) -> Failure | None:
    name = pod["metadata"]["name"]
    scheduled = condition_of(pod, "PodScheduled")
    if scheduled.get("status") == "False" and scheduled.get("reason") != "SchedulingGated":
        said = _end(scheduled.get("message", ""))
        unbound = UNBOUND_CLAIM in said.lower()
        reason = "VolumeNotBound" if unbound else scheduled.get("reason", "Unschedulable")
        return Failure(pod=name, reason=reason, message=said)
    if is_fenced(pod):
        said = condition_of(pod, "Ready").get("message", "")
        return Failure(pod=name, reason=NODE_UNREACHABLE, message=_end(said))
    for container in _containers(pod):
        if failure := _container_failure(name, container):
            return failure
    status = pod.get("status", {})
    if status.get("phase") == "Failed":
        return Failure(pod=name, reason=status.get("reason", "Failed"), message=_end(status.get("message", "")))
    return None


def _container_failure(pod: str, container: ContainerStatus) -> Failure | None:
    """The failure of a container. For a crash, it is how the container ended, not the kubelet's back-off."""
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
    # The kubelet alternates between the two; the status must not.
    reason = "ImagePullBackOff" if waiting["reason"] == "ErrImagePull" else waiting["reason"]
    return Failure(pod=pod, container=container["name"], reason=reason, message=_end(waiting.get("message", "")))


def _containers(pod: Pod) -> Iterator[ContainerStatus]:
    status = pod.get("status", {})
    yield from status.get("initContainerStatuses", ())
    yield from status.get("containerStatuses", ())


def _end(message: str) -> str:
    """Keep the end of an untrusted message, on one line and without control characters."""
    return one_line(message, MESSAGE_MAX, end=True)
