"""Repair an object that server-side apply cannot, because another manager's fields contradict ours.

Someone may have renumbered a Service's port, which would stay beside ours under the same name, or set minAvailable in a
PodDisruptionBudget that has our maxUnavailable. The API server rejects both. Only then is the whole spec replaced.
"""

from tts_operator.json_object import Json

LIVE = ("replicas", "clusterIP", "clusterIPs")
"""Fields of a spec that are set at run time and must survive the repair."""


def overlay(live: Json, desired: Json) -> Json:
    """Return `live` with the spec of `desired`. Its metadata and other fields stay as they are."""
    replaced = {name: value for name, value in desired.items() if name != "metadata"}
    if "spec" in replaced:
        kept = {name: live["spec"][name] for name in LIVE if name in live["spec"]}
        replaced["spec"] = kept | replaced["spec"]
    return live | replaced
