"""How Flux, Helm, and Argo CD judge an object: the checks of kstatus, in its order.

Source: https://github.com/kubernetes-sigs/cli-utils/blob/master/pkg/kstatus/status/generic.go, core.go and status.go
"""

from tts_operator.json_object import Json


def kstatus(body: Json) -> str:
    """The status of kstatus: Terminating, InProgress, Failed, or Current."""
    metadata, status = body["metadata"], body.get("status", {})
    if metadata.get("deletionTimestamp"):
        return "Terminating"
    observed = status.get("observedGeneration")
    if observed is not None:
        assert isinstance(observed, int), "kstatus fails on anything but a number"
        if observed != metadata["generation"]:
            return "InProgress"
    conditions = {condition["type"]: condition["status"] for condition in status.get("conditions", ())}
    if conditions.get("Reconciling") == "True":
        return "InProgress"
    if conditions.get("Stalled") == "True":
        return "Failed"
    if "Ready" in conditions:
        return "Current" if conditions["Ready"] == "True" else "InProgress"
    return "Current"
