"""The pods of a revision on trial: which they are, what is to be found out about them, what speaks against them."""

import re

from tts_operator.api import Json
from tts_operator.api.model import Model
from tts_operator.desired.identity import CANDIDATE, NAME_LABEL
from tts_operator.desired.pod import PORT
from tts_operator.desired.revision import TEMPLATE_LABEL, Revision
from tts_operator.reconcile.analysis.model import AnalysisRequest, AnalysisResult, RollbackReason, pod_endpoints
from tts_operator.reconcile.observed.pods import has_ended, is_ready, last_failure, seconds_unready
from tts_operator.reconcile.observed.snapshot import Observed
from tts_operator.reconcile.rollout.context import RolloutContext
from tts_operator.reconcile.rollout.state import Phase, RolloutState
from tts_operator.reconcile.status.conditions import condition_of, seconds_between
from tts_operator.reconcile.status.deployment import deployment_problem, is_complete

LISTENED_TO = 5
"""So many new pods at most are made to speak."""
CRASH = "CrashLoopBackOff"
COMPLETE = "NewReplicaSetAvailable"
"""What a Deployment's condition Progressing says once all pods of its template have been there."""


def is_candidate(pod: Json) -> bool:
    """Whether a pod is of a candidate."""
    return bool(pod["metadata"].get("labels", {}).get(NAME_LABEL) == CANDIDATE)


def pods_of(observed: Observed, revision: Revision, *, in_place: bool, ready: bool = False) -> list[Json]:
    """The pods of a revision: those of the candidate, or (`in_place`) those of the other Deployment."""
    return [
        pod
        for pod in observed.pods
        if "deletionTimestamp" not in pod["metadata"]
        and is_candidate(pod) is not in_place
        and pod["metadata"].get("labels", {}).get(TEMPLATE_LABEL, "") == revision.template_hash
        and (not ready or is_ready(pod))
    ]


def analysis_request(context: RolloutContext, state: RolloutState, pods: list[Json]) -> AnalysisRequest | None:
    """What is to be found out in a state about these pods; None where nothing."""
    speaks = state.phase in (Phase.CHECKING, Phase.CHECKING_IN_PLACE)
    if speaks and not context.service.spec.rollout.speech_check.enabled:
        return None
    if not speaks and state.phase not in (Phase.SCALING, Phase.STEPPING, Phase.SWITCHED, Phase.PROMOTING):
        return None
    there = [pod for pod in pods if not has_ended(pod)]
    asked = context.update_revision.spec  # not the service's: in an undo it is about another revision
    others = pods_of(context.observed, context.stable, in_place=True, ready=True)
    return AnalysisRequest(
        subject=state.subject,
        pods=pod_endpoints(there[:LISTENED_TO] if speaks else there, PORT, context.update_revision.template),
        stable=pod_endpoints(others, PORT, context.stable.template),
        speaks=speaks,
        ready=not speaks or (bool(there) and all(map(is_ready, there))),
        present=frozenset(pod["metadata"]["uid"] for pod in there),
        language=language_of(asked.model),
        max_characters=asked.server.max_input_characters,
    )


def language_of(model: Model) -> str:
    """The BCP 47 language of a model: the hub's names of voices end in it, as in ..._zh-cn_16k. Mandarin otherwise."""
    told = re.search(r"_([a-z]{2}-[a-z]{2})_\d+k$", model.name or "")
    return told[1] if told else "zh-CN"


def still_counts(analysis_result: AnalysisResult, state: RolloutState, observed: Observed) -> bool:
    """Whether what was found out is about this state, and about pods that are still there.

    A pod that was drained while it was asked has not answered: that says nothing of its version.
    """
    there = {
        pod["metadata"]["uid"]
        for pod in observed.pods
        if "deletionTimestamp" not in pod["metadata"] and not has_ended(pod)
    }
    return analysis_result.subject == state.subject and analysis_result.asked <= there


def crash(pods: list[Json]) -> RollbackReason | None:
    """A container that ends again and again."""
    for pod in pods:
        for container in pod.get("status", {}).get("containerStatuses", ()):
            if container.get("state", {}).get("waiting", {}).get("reason") == CRASH:
                failure = last_failure([pod])
                return RollbackReason(
                    reason="CrashLoop", message=failure.describe() if failure else f"a container is in {CRASH}"
                )
    return None


def overdue(live: Json | None, pods: list[Json]) -> RollbackReason | None:
    """A Deployment that makes no progress for longer than the spec allows."""
    if live is None or condition_of(live, "Progressing").get("reason") != "ProgressDeadlineExceeded":
        return None
    failure = last_failure(pods)
    return _late(live, failure.describe() if failure else "")


def stuck(live: Json | None, pods: list[Json], now: str) -> RollbackReason | None:
    """Pods that are not ready for longer than the spec allows, of a Deployment that was complete before.

    For such a one its controller knows no deadline any more: not where a pod is no longer ready, nor where it grows
    (https://github.com/kubernetes/kubernetes/blob/v1.31.0/pkg/controller/deployment/progress.go, syncRolloutStatus).
    """
    if live is None or is_complete(live) or condition_of(live, "Progressing").get("reason") != COMPLETE:
        return None
    allowed = live["spec"]["progressDeadlineSeconds"]
    late = [pod for pod in pods if not has_ended(pod) and seconds_unready(pod, now) > allowed]
    if late:
        failure = last_failure(late)
        return _late(live, failure.describe() if failure else f"pod {late[0]['metadata']['name']} is not ready")
    refused = condition_of(live, "ReplicaFailure").get("lastTransitionTime", now)
    if (problem := deployment_problem(live)) and seconds_between(refused, now) > allowed:
        return _late(live, problem)
    return None


def _late(live: Json, cause: str) -> RollbackReason:
    seconds = live["spec"].get("progressDeadlineSeconds", "")
    text = f"its pods were not ready within rollout.progressDeadlineSeconds ({seconds} s)"
    return RollbackReason(reason="ProgressDeadlineExceeded", message=f"{text}: {cause}" if cause else text)
