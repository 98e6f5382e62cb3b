"""Choose the pods to fence and to restore. Pure."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from tts_operator.desired.identity import BACKEND, BACKEND_LABEL, INSTANCE_LABEL, NAME_LABEL, NODE_UNREACHABLE, WORKER
from tts_operator.objects import Condition, Pod
from tts_operator.runtime import version_of


@dataclass(frozen=True, kw_only=True)
class FencingContext:
    """The input of a fencing decision."""

    pods: Collection[Pod]
    unreachable: Mapping[str, float]
    """Nodes that all replicas consider lost, with the time of their first missed probe."""
    reachable: Collection[str]
    zones: Mapping[str, str]
    """Zone of each node, if known."""
    contested: Collection[str] = ()
    """Nodes whose kubelet has set a fenced pod back to ready. It is alive, and knows better."""
    unheard: Collection[str] = ()
    """Uids of pods that have never answered, and whose kubelet has not either. Their silence says nothing."""


def to_fence(now: FencingContext) -> list[Pod]:
    """The ready pods to fence.

    Of each set of pods behind a Service: those of one zone out of several, or one pod, or a third of all, but never the
    last ready pod.
    """
    lost = {node: since for node, since in now.unreachable.items() if node not in now.contested}
    if not lost:
        return []
    return [pod for pods in _sets(now.pods) for pod in _of_set(pods, lost, now)]


def to_restore(now: FencingContext) -> list[Pod]:
    """The fenced pods whose nodes respond again."""
    return [pod for pod in now.pods if is_fenced(pod) and node_of(pod) in now.reachable]


def contesting(pods: Iterable[Pod], fenced: Mapping[str, int], unreachable: Collection[str]) -> set[str]:
    """Unreachable nodes on which a fenced pod has become ready again.

    `fenced` maps the uids of fenced pods to their resource versions at that time. Only a kubelet, or a person, sets a
    pod to ready. So the node can reach the API server: it is not lost, but only unreachable from here.
    """
    return {
        node_of(pod)
        for pod in pods
        if node_of(pod) in unreachable
        and pod["metadata"]["uid"] in fenced
        and version_of(pod) > fenced[pod["metadata"]["uid"]]
        and is_ready(pod)
    }


def is_fenced(pod: Pod) -> bool:
    """Whether the operator has fenced a pod."""
    return _ready(pod).get("reason") == NODE_UNREACHABLE


def is_backend(pod: Pod) -> bool:
    """Whether a pod belongs to a separate backend."""
    return pod["metadata"].get("labels", {}).get(NAME_LABEL) == BACKEND


def is_ready(pod: Pod) -> bool:
    """Whether a pod receives traffic from its Service."""
    return _ready(pod).get("status") == "True"


def node_of(pod: Pod) -> str:
    """The node of a pod; empty if it has none yet."""
    return pod.get("spec", {}).get("nodeName") or ""


def _ready(pod: Pod) -> Condition:
    conditions = pod.get("status", {}).get("conditions", ())
    return next((condition for condition in conditions if condition["type"] == "Ready"), Condition())


def _sets(pods: Iterable[Pod]) -> Iterator[list[Pod]]:
    """Group the pods that serve together. A candidate without traffic cannot replace the others."""
    found: dict[tuple[str, ...], list[Pod]] = {}
    for pod in pods:
        if "deletionTimestamp" in pod["metadata"] or not (is_ready(pod) or is_fenced(pod)):
            continue
        labels = pod["metadata"].get("labels", {})
        if labels.get(NAME_LABEL) == WORKER:
            continue  # no Service sends it anything
        # Each version of a separate backend has a Service of its own.
        backend = labels.get(BACKEND_LABEL, "") if is_backend(pod) else ""
        key = pod["metadata"]["namespace"], labels.get(INSTANCE_LABEL, ""), labels.get(NAME_LABEL, ""), backend
        found.setdefault(key, []).append(pod)
    return iter(found.values())


def _of_set(pods: list[Pod], lost: Mapping[str, float], now: FencingContext) -> list[Pod]:
    out = [pod for pod in pods if is_fenced(pod)]
    left = len(pods) - len(out)
    chosen: list[Pod] = []
    # The longest silence first, then by name, so that all replicas choose the same.
    silent = [pod for pod in pods if not is_fenced(pod) and node_of(pod) in lost]
    due = [pod for pod in silent if pod["metadata"]["uid"] not in now.unheard]
    for pod in sorted(due, key=lambda pod: (lost[node_of(pod)], pod["metadata"]["name"])):
        together = [*out, *chosen, pod]
        # If all nodes are in one zone, losing it would mean losing everything. Then fence one pod, or a third.
        few = len(together) == 1 or 3 * len(together) <= len(pods)
        one_of_several = _zones(together, now.zones) == 1 < _zones(pods, now.zones)
        if left - len(chosen) > 1 and (few or one_of_several):
            chosen.append(pod)
    return chosen


def _zones(pods: Iterable[Pod], zones: Mapping[str, str]) -> int:
    """The number of zones of these pods. Each node without a zone counts as its own zone."""
    return len({zones.get(node_of(pod), f"node {node_of(pod)}") for pod in pods})
