"""The state of a live Deployment and its pods."""

from tts_operator.objects import Deployment
from tts_operator.reconcile.observed.conditions import condition_of


def is_seen(live: Deployment) -> bool:
    """Whether the Deployment's controller has processed its current generation. Until then, its counts are stale."""
    return live.get("status", {}).get("observedGeneration", 0) >= live["metadata"].get("generation", 0)


def is_complete(live: Deployment) -> bool:
    """Whether a Deployment has the desired number of pods, all of its current template, and all available."""
    counts = live.get("status", {})
    wanted = live["spec"].get("replicas", 1)
    numbers = {counts.get("replicas", 0), counts.get("updatedReplicas", 0), counts.get("availableReplicas", 0)}
    return is_seen(live) and numbers == {wanted}


def rolled_out(live: Deployment | None, *, claim: str) -> bool:
    """Whether no pod of the Deployment mounts the claim any more."""
    if live is None:
        return True
    volumes = live["spec"]["template"]["spec"].get("volumes", ())
    if any(volume.get("persistentVolumeClaim", {}).get("claimName") == claim for volume in volumes):
        return False
    counts = live.get("status", {})
    return is_seen(live) and counts.get("replicas", 0) == counts.get("updatedReplicas", 0)


def deployment_problem(live: Deployment) -> str:
    """Why pods cannot be created, such as a quota, a policy, or a missing ServiceAccount; empty if they can."""
    condition = condition_of(live, "ReplicaFailure")
    return f"pods cannot be created: {condition['message']}" if condition.get("status") == "True" else ""
