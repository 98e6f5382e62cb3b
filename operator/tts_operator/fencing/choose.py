"""Which pods are to leave their Service, and which come back. Pure."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from tts_operator.desired.identity import INSTANCE_LABEL, NAME_LABEL, NODE_UNREACHABLE
from tts_operator.json_object import Json
from tts_operator.runtime import version_of


@dataclass(frozen=True, kw_only=True)
class Situation:
    """What is decided on."""

    pods: Collection[Json]
    unreachable: Mapping[str, float]
    """Nodes that are agreed to be lost, with the time of their first silence."""
    reachable: Collection[str]
    zones: Mapping[str, str]
    """Zone of each node, where it is known."""
    contested: Collection[str] = ()
    """Nodes that have set a fenced pod back to ready: their kubelets live, and know better."""
    unheard: Collection[str] = ()
    """Uids of pods of which neither they nor their kubelet has ever answered: their silence says nothing."""


def to_fence(now: Situation) -> list[Json]:
    """The ready pods that are to leave their Services.

    Of each set of pods that a Service leads to: those of one zone of several, or one, or a third of all, and never the
    last ready one.
    """
    lost = {node: since for node, since in now.unreachable.items() if node not in now.contested}
    if not lost:
        return []
    return [pod for pods in _sets(now.pods) for pod in _of_set(pods, lost, now)]


def to_restore(now: Situation) -> list[Json]:
    """The pods that were fenced and whose nodes answer again."""
    return [pod for pod in now.pods if is_fenced(pod) and node_of(pod) in now.reachable]


def contesting(pods: Iterable[Json], fenced: Mapping[str, int], unreachable: Collection[str]) -> set[str]:
    """Nodes that do not answer, and on which a pod is ready again all the same since it was fenced.

    `fenced` tells the uids of such pods, and their resource version then. Only its kubelet says so, or somebody by
    hand. So the node can reach the API server, and is not lost but out of our reach.
    """
    return {
        node_of(pod)
        for pod in pods
        if node_of(pod) in unreachable
        and pod["metadata"]["uid"] in fenced
        and version_of(pod) > fenced[pod["metadata"]["uid"]]
        and is_ready(pod)
    }


def is_fenced(pod: Json) -> bool:
    """Whether it was taken out of its Service here."""
    return _ready(pod).get("reason") == NODE_UNREACHABLE


def is_ready(pod: Json) -> bool:
    """Whether its Service leads to it."""
    return _ready(pod).get("status") == "True"


def node_of(pod: Json) -> str:
    """The node that it runs on; empty where it has none yet."""
    return pod.get("spec", {}).get("nodeName") or ""


def _ready(pod: Json) -> Json:
    conditions = pod.get("status", {}).get("conditions", ())
    return next((condition for condition in conditions if condition["type"] == "Ready"), {})


def _sets(pods: Iterable[Json]) -> Iterator[list[Json]]:
    """The pods that serve together: a candidate that gets no traffic is no replacement for those that do."""
    found: dict[tuple[str, ...], list[Json]] = {}
    for pod in pods:
        if "deletionTimestamp" in pod["metadata"] or not (is_ready(pod) or is_fenced(pod)):
            continue
        labels = pod["metadata"].get("labels", {})
        key = pod["metadata"]["namespace"], labels.get(INSTANCE_LABEL, ""), labels.get(NAME_LABEL, "")
        found.setdefault(key, []).append(pod)
    return iter(found.values())


def _of_set(pods: list[Json], lost: Mapping[str, float], now: Situation) -> list[Json]:
    out = [pod for pod in pods if is_fenced(pod)]
    left = len(pods) - len(out)
    chosen: list[Json] = []
    # The longest silence first; by name, so that two replicas come to the same.
    silent = [pod for pod in pods if not is_fenced(pod) and node_of(pod) in lost]
    due = [pod for pod in silent if pod["metadata"]["uid"] not in now.unheard]
    for pod in sorted(due, key=lambda pod: (lost[node_of(pod)], pod["metadata"]["name"])):
        together = [*out, *chosen, pod]
        # Where all nodes are of one zone, its loss would be the loss of all: there it is one pod, or a third.
        few = len(together) == 1 or 3 * len(together) <= len(pods)
        one_of_several = _zones(together, now.zones) == 1 < _zones(pods, now.zones)
        if left - len(chosen) > 1 and (few or one_of_several):
            chosen.append(pod)
    return chosen


def _zones(pods: Iterable[Json], zones: Mapping[str, str]) -> int:
    """In how many zones they are. Nodes without a zone each count as one of their own."""
    return len({zones.get(node_of(pod), f"node {node_of(pod)}") for pod in pods})
