"""The state of a live Deployment and its pods."""

from tts_operator.json_object import Json
from tts_operator.reconcile.observed.conditions import condition_of


def is_seen(live: Json) -> bool:
    """Whether the Deployment's controller has processed its current generation. Until then, its counts are stale."""
    seen: int = live.get("status", {}).get("observedGeneration", 0)
    generation: int = live["metadata"].get("generation", 0)
    return seen >= generation


def is_complete(live: Json) -> bool:
    """Whether a Deployment has the desired number of pods, all of its current template, and all available."""
    counts = live.get("status", {})
    wanted = live["spec"].get("replicas", 1)
    numbers = {counts.get(name, 0) for name in ("replicas", "updatedReplicas", "availableReplicas")}
    return is_seen(live) and numbers == {wanted}


def rolled_out(live: Json | None, *, claim: str) -> bool:
    """Whether no pod of the Deployment mounts the claim any more."""
    if live is None:
        return True
    volumes = live["spec"]["template"]["spec"].get("volumes", ())
    if any(volume.get("persistentVolumeClaim", {}).get("claimName") == claim for volume in volumes):
        return False
    counts = live.get("status", {})
    return is_seen(live) and counts.get("replicas", 0) == counts.get("updatedReplicas", 0)


def deployment_problem(live: Json) -> str:
    """Why pods cannot be created, such as a quota, a policy, or a missing ServiceAccount; empty if they can."""
    condition = condition_of(live, "ReplicaFailure")
    return f"pods cannot be created: {condition['message']}" if condition.get("status") == "True" else ""
