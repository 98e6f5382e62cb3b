"""Reasons to roll back the update revision: an ordered chain of checks over one input. Pure.

To add a reason, add a function here and list it in `AUTOMATIC`. The first check that finds something decides.
"""

from collections.abc import Callable, Sequence

from tts_operator.desired.pod.backend import CONTAINER as BACKEND_CONTAINER
from tts_operator.objects import Deployment, Pod
from tts_operator.reconcile.analysis.model import RollbackReason
from tts_operator.reconcile.observed.conditions import condition_of, seconds_between
from tts_operator.reconcile.observed.deployments import deployment_problem, is_complete
from tts_operator.reconcile.observed.pods import has_ended, last_failure, seconds_unready
from tts_operator.reconcile.observed.revision_pods import pods_of
from tts_operator.reconcile.rollout.context import RolloutContext
from tts_operator.reconcile.rollout.state import Phase, RolloutState

Check = Callable[[RolloutContext, RolloutState], RollbackReason | None]
CRASH = "CrashLoopBackOff"
COMPLETE = "NewReplicaSetAvailable"
"""Reason of a Deployment's Progressing condition once all pods of its template have been available."""


def aborted_by_hand(context: RolloutContext, state: RolloutState) -> RollbackReason | None:
    """A user wants this rollout to end. It is rolled back even if `failurePolicy` is Hold."""
    if context.service.commands.abort != state.rollout:
        return None
    return RollbackReason(reason="Aborted", message="aborted by a user (annotation tts-operator.io/abort)")


def automatic(context: RolloutContext, state: RolloutState) -> RollbackReason | None:
    """The first reason found by the checks. It leads to a rollback if `failurePolicy` is Rollback."""
    return next(filter(None, (check(context, state) for check in AUTOMATIC)), None)


def _failed_before(_: RolloutContext, state: RolloutState) -> RollbackReason | None:
    """An earlier pass found a reason, and the rollout is held."""
    return RollbackReason(reason=state.reason, message=state.message) if state.reason else None


def _analysis_failed(context: RolloutContext, _: RolloutState) -> RollbackReason | None:
    return context.analysis_result.rollback_reason


def _container_crashes(context: RolloutContext, state: RolloutState) -> RollbackReason | None:
    return _crash([*_new_pods(context, state), *new_backend_pods(context)])


def _not_ready_in_time(context: RolloutContext, state: RolloutState) -> RollbackReason | None:
    """A Deployment with new pods makes no progress, or its pods are not ready, for longer than the spec allows."""
    deployments = [context.candidate_deployment]
    if _replaces_in_place(state):
        deployments.append(context.stable_deployment)
    pods, waits = _new_pods(context, state), context.waits_for_pods(state)
    backends = new_backend_pods(context)
    for live in deployments:
        if context.runs_update(live) and (
            found := _overdue(live, pods, backends) or (stuck(live, pods, context.now, backends) if waits else None)
        ):
            return found
    return _overdue(context.new_backend_deployment, backends, []) if waits else None


AUTOMATIC: Sequence[Check] = (_failed_before, _analysis_failed, _container_crashes, _not_ready_in_time)


def _replaces_in_place(state: RolloutState) -> bool:
    """Whether the stable Deployment gets new pods in this phase."""
    return state.phase in (Phase.CHECKING_IN_PLACE, Phase.PROMOTING)


def _new_pods(context: RolloutContext, state: RolloutState) -> list[Pod]:
    pods = pods_of(context.observed, context.update_revision, in_place=False)
    if _replaces_in_place(state):
        pods += pods_of(context.observed, context.update_revision, in_place=True)
    return pods


def new_backend_pods(context: RolloutContext) -> list[Pod]:
    """The pods of the update revision's separate backend, unless the stable revision has the same one."""
    backend = context.update_revision.backend
    return context.observed.pods_of_backend(backend.hash) if context.has_new_backend and backend else []


def _crash(pods: list[Pod]) -> RollbackReason | None:
    """A container that crashes repeatedly."""
    for pod in pods:
        status = pod.get("status", {})
        sidecars = (each for each in status.get("initContainerStatuses", ()) if each["name"] == BACKEND_CONTAINER)
        for container in (*status.get("containerStatuses", ()), *sidecars):
            if container.get("state", {}).get("waiting", {}).get("reason") == CRASH:
                failure = last_failure([pod])
                return RollbackReason(
                    reason="CrashLoop", message=failure.describe() if failure else f"a container is in {CRASH}"
                )
    return None


def _overdue(live: Deployment | None, pods: list[Pod], backends: list[Pod]) -> RollbackReason | None:
    """A Deployment that makes no progress for longer than the spec allows."""
    if live is None or condition_of(live, "Progressing").get("reason") != "ProgressDeadlineExceeded":
        return None
    failure = last_failure(pods) or last_failure(backends)
    return _late(live, failure.describe() if failure else "")


def stuck(live: Deployment | None, pods: list[Pod], now: str, backends: Sequence[Pod] = ()) -> RollbackReason | None:
    """Pods that are not ready for longer than the spec allows, in a Deployment that was complete before.

    `backends` are the pods of their separate backend, which may be why.

    Its controller no longer applies the progress deadline, neither if a pod becomes unready nor if it is scaled up
    (https://github.com/kubernetes/kubernetes/blob/v1.31.0/pkg/controller/deployment/progress.go, syncRolloutStatus).
    """
    if live is None or is_complete(live) or condition_of(live, "Progressing").get("reason") != COMPLETE:
        return None
    allowed = live["spec"]["progressDeadlineSeconds"]
    late = [pod for pod in pods if not has_ended(pod) and seconds_unready(pod, now) > allowed]
    if late:
        failure = last_failure(late) or last_failure(backends)
        return _late(live, failure.describe() if failure else f"pod {late[0]['metadata']['name']} is not ready")
    refused = condition_of(live, "ReplicaFailure").get("lastTransitionTime", now)
    if (problem := deployment_problem(live)) and seconds_between(refused, now) > allowed:
        return _late(live, problem)
    return None


def _late(live: Deployment, cause: str) -> RollbackReason:
    seconds = live["spec"].get("progressDeadlineSeconds", "")
    text = f"its pods were not ready within rollout.progressDeadlineSeconds ({seconds} s)"
    return RollbackReason(reason="ProgressDeadlineExceeded", message=f"{text}: {cause}" if cause else text)
