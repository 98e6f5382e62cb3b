"""What a live Deployment shows: whether its controller is up to date, and whether its pods are."""

from tts_operator.json_object import Json
from tts_operator.reconcile.observed.conditions import condition_of


def is_seen(live: Json) -> bool:
    """Whether the Deployment's controller has looked at its present generation; before, its counts mean nothing."""
    seen: int = live.get("status", {}).get("observedGeneration", 0)
    generation: int = live["metadata"].get("generation", 0)
    return seen >= generation


def is_complete(live: Json) -> bool:
    """Whether a Deployment has as many pods as it is to have, all of its present template, and all can serve."""
    counts = live.get("status", {})
    wanted = live["spec"].get("replicas", 1)
    numbers = {counts.get(name, 0) for name in ("replicas", "updatedReplicas", "availableReplicas")}
    return is_seen(live) and numbers == {wanted}


def rolled_out(live: Json | None, *, claim: str) -> bool:
    """Whether every pod of the Deployment is one that does not mount the claim."""
    if live is None:
        return True
    volumes = live["spec"]["template"]["spec"].get("volumes", ())
    if any(volume.get("persistentVolumeClaim", {}).get("claimName") == claim for volume in volumes):
        return False
    counts = live.get("status", {})
    return is_seen(live) and counts.get("replicas", 0) == counts.get("updatedReplicas", 0)


def deployment_problem(live: Json) -> str:
    """Why pods cannot even be created: a quota, a policy, a missing ServiceAccount."""
    condition = condition_of(live, "ReplicaFailure")
    return f"pods cannot be created: {condition['message']}" if condition.get("status") == "True" else ""
