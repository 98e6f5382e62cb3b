"""How the pods are spread over zones: as the spec says, or, where it says nothing, as the nodes allow."""

from collections.abc import Iterable, Mapping
from typing import Any

from tts_operator.api import Spec, TTSService
from tts_operator.api.placement import ZoneSpread
from tts_operator.api.status import SpreadInForce
from tts_operator.desired.identity import selector_labels
from tts_operator.json_object import Json

HOSTNAME = "kubernetes.io/hostname"
ENOUGH_ZONES = 2
"""With fewer there is nothing to lose by a pod that is placed anywhere, and all to lose by one that waits."""


def resolved(spec: Spec, nodes: Iterable[Mapping[str, str]]) -> SpreadInForce:
    """How strictly to spread over zones. `nodes` are the labels of each node; none where they are not known."""
    asked = spec.placement.zone_spread
    if asked.when_unsatisfiable is not None:
        return asked.when_unsatisfiable
    fitting = [labels for labels in nodes if spec.placement.node_selector.items() <= labels.items()]
    zones = {labels[asked.topology_key] for labels in fitting if asked.topology_key in labels}
    if len(zones) >= ENOUGH_ZONES:
        return "DoNotSchedule"
    # A podTemplate may change a part of the constraint over zones, which must then be there.
    return "ScheduleAnyway" if zones or not fitting or _has_own(spec.pod_template) else "NoZones"


def constraints(service: TTSService, spread: SpreadInForce) -> list[Json]:
    """Over zones, and over the nodes within them where possible (core/v1 TopologySpreadConstraint).

    nodeTaintsPolicy Honor: a dead zone would otherwise count as empty and block its replacements for ever.
    matchLabelKeys: each revision is spread by itself, or the old pods would skew a rolling update (KEP-3243).
    Without zones there is none over zones, not even a soft one: the scheduler's score for the spread leaves out a node
    that lacks any of the labels, so that all pods could end on one node (PreScore of its plugin PodTopologySpread).
    """
    asked = service.spec.placement.zone_spread
    common: Json = {
        "labelSelector": {"matchLabels": selector_labels(service)},
        "matchLabelKeys": ["pod-template-hash"],
        "nodeTaintsPolicy": "Honor",
    }
    zones: Json = {"maxSkew": asked.max_skew, "topologyKey": asked.topology_key, "whenUnsatisfiable": spread}
    nodes: Json = {"maxSkew": 1, "topologyKey": HOSTNAME, "whenUnsatisfiable": "ScheduleAnyway"}
    if spread == "NoZones":
        return [{**nodes, **common}]
    return [{**each, **common} for each in ([zones] if asked.topology_key == HOSTNAME else [zones, nodes])]


def in_force(inputs: Json, template: Json) -> str:
    """How strictly a revision with this template is spread; empty where podTemplate has its own idea of it.

    `inputs` is the part of the spec that the template was made of. Each may be from another version of the operator.
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
