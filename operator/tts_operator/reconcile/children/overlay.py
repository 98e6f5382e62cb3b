"""Put an object right that server-side apply cannot mend, because what somebody added contradicts what we want.

A renumbered port of a Service would stay beside ours under the same name; a PodDisruptionBudget would have both
minAvailable and maxUnavailable. The API server refuses both. Only then is the spec taken over whole.
"""

from tts_operator.json_object import Json

LIVE = ("replicas", "clusterIP", "clusterIPs")
"""Fields of a spec that are decided at run time and must outlive the repair."""


def overlay(live: Json, desired: Json) -> Json:
    """`live` with the spec of `desired`; metadata, and what else it has, stay as they are."""
    replaced = {name: value for name, value in desired.items() if name != "metadata"}
    if "spec" in replaced:
        kept = {name: live["spec"][name] for name in LIVE if name in live["spec"]}
        replaced["spec"] = kept | replaced["spec"]
    return live | replaced
