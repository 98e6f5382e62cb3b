"""Where pods run, apart from their spread over zones."""

from tts_operator.api.placement import Placement, Toleration
from tts_operator.json_object import Json

PLACED = ("tolerations", "nodeSelector", "priorityClassName", "runtimeClassName", "affinity")


def placed(placement: Placement) -> Json:
    """The fields of a pod spec that say where it runs, without the spread: `PLACED`, if they are set."""
    found: Json = {"tolerations": _tolerations(placement)}
    if placement.node_selector:
        found["nodeSelector"] = dict(placement.node_selector)
    if placement.priority_class_name:
        found["priorityClassName"] = placement.priority_class_name
    if placement.runtime_class_name:
        found["runtimeClassName"] = placement.runtime_class_name
    if placement.affinity is not None:
        # Unset fields are omitted. An empty selector stays, because it means all.
        found["affinity"] = placement.affinity.model_dump(by_alias=True, exclude_none=True, exclude_defaults=True)
    return found


def _tolerations(placement: Placement) -> list[Json]:
    """The user's tolerations, and short ones for lost nodes: Kubernetes' default is 300 s."""
    lost = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")
    return [_toleration(asked) for asked in placement.tolerations] + [
        {
            "key": key,
            "operator": "Exists",
            "effect": "NoExecute",
            "tolerationSeconds": placement.outage_tolerance_seconds,
        }
        for key in lost
        if not any(asked.key == key and asked.effect in (None, "NoExecute") for asked in placement.tolerations)
    ]


def _toleration(asked: Toleration) -> Json:
    return asked.model_dump(by_alias=True, exclude_none=True)
