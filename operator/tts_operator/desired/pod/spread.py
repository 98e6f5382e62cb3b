"""How pods are spread over zones: as the spec says, or otherwise as the nodes allow."""

from collections.abc import Iterable, Mapping
from typing import Any

from tts_operator.api import Spec
from tts_operator.api.placement import ZoneSpread
from tts_operator.api.status import SpreadInForce
from tts_operator.json_object import Json

HOSTNAME = "kubernetes.io/hostname"
ENOUGH_ZONES = 2
"""With fewer zones, a pod loses nothing by running anywhere, but much by waiting."""


def resolved(spec: Spec, nodes: Iterable[Mapping[str, str]]) -> SpreadInForce:
    """How strictly to spread over zones. `nodes` yields the labels of each node, if known."""
    asked = spec.placement.zone_spread
    if asked.when_unsatisfiable is not None:
        return asked.when_unsatisfiable
    fitting = [labels for labels in nodes if spec.placement.node_selector.items() <= labels.items()]
    zones = {labels[asked.topology_key] for labels in fitting if asked.topology_key in labels}
    if len(zones) >= ENOUGH_ZONES:
        return "DoNotSchedule"
    # A podTemplate may change part of the zone constraint, which must exist then.
    return "ScheduleAnyway" if zones or not fitting or _has_own(spec.pod_template) else "NoZones"


def constraints(pods: Mapping[str, str], asked: ZoneSpread, spread: SpreadInForce) -> list[Json]:
    """Constraints over zones, and over nodes where possible (core/v1 TopologySpreadConstraint).

    `pods` are the labels of the pods to spread. `spread` says how strictly, in the place of `asked.when_unsatisfiable`,
    which may be unset.

    nodeTaintsPolicy Honor: otherwise, a dead zone counts as empty, and blocks replacement pods forever.
    matchLabelKeys: each revision is spread separately; otherwise, old pods skew a rolling update (KEP-3243).
    NoZones: no constraint over zones at all, not even a soft one. The scheduler's score ignores nodes that lack any of
    the labels, so that all pods could end up on one node (PreScore of its plugin PodTopologySpread).
    """
    common: Json = {
        "labelSelector": {"matchLabels": dict(pods)},
        "matchLabelKeys": ["pod-template-hash"],
        "nodeTaintsPolicy": "Honor",
    }
    zones: Json = {"maxSkew": asked.max_skew, "topologyKey": asked.topology_key, "whenUnsatisfiable": spread}
    nodes: Json = {"maxSkew": 1, "topologyKey": HOSTNAME, "whenUnsatisfiable": "ScheduleAnyway"}
    if spread == "NoZones":
        return [{**nodes, **common}]
    return [{**each, **common} for each in ([zones] if asked.topology_key == HOSTNAME else [zones, nodes])]


def in_force(inputs: Json, template: Json) -> str:
    """How strictly a revision with this template is spread; empty if podTemplate overrides it.

    `inputs` is the part of the spec that the template was built from. Both may come from another operator version.
    """
    asked = inputs.get("placement", {}).get("zoneSpread", {})
    key = asked.get("topologyKey", ZoneSpread().topology_key)
    found = template["spec"].get("topologySpreadConstraints")
    for each in found if isinstance(found, list) else ():
        if isinstance(each, dict) and each.get("topologyKey") == key:
            when = each.get("whenUnsatisfiable")
            return when if when in ("DoNotSchedule", "ScheduleAnyway") else ""
    return "" if "whenUnsatisfiable" in asked or _has_own(inputs.get("podTemplate")) else "NoZones"


def _has_own(patch: Any) -> bool:
    spec = patch.get("spec") if isinstance(patch, dict) else None
    return isinstance(spec, dict) and "topologySpreadConstraints" in spec
