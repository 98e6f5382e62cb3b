"""The pods of a revision on trial: which they are, what is to be found out about them, what speaks against them."""

from tts_operator.api import Json, TTSService
from tts_operator.desired.identity import CANDIDATE, NAME_LABEL
from tts_operator.desired.pod import PORT
from tts_operator.desired.revision import TEMPLATE_LABEL, Revision
from tts_operator.reconcile.evidence import Examination, Finding, reachable
from tts_operator.reconcile.observed import Observed
from tts_operator.reconcile.phase import Phase, State
from tts_operator.reconcile.pods import is_ready, last_failure
from tts_operator.reconcile.verdict import condition_of

LISTENED_TO = 5
"""So many new pods at most are made to speak."""
CRASH = "CrashLoopBackOff"


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


def examination(
    service: TTSService, observed: Observed, stable: Revision, state: State, pods: list[Json]
) -> Examination | None:
    """What is to be found out in a state; None where nothing, or not yet."""
    if state.phase in (Phase.CHECKING, Phase.CHECKING_IN_PLACE):
        ready = [pod for pod in pods if is_ready(pod)]
        if not service.spec.rollout.speech_check.enabled or not ready or len(ready) < len(pods):
            return None
        pods = ready[:LISTENED_TO]
    elif state.phase not in (Phase.SCALING, Phase.STEPPING, Phase.SWITCHED, Phase.PROMOTING):
        return None
    others = pods_of(observed, stable, in_place=True, ready=True)
    return Examination(
        subject=state.subject,
        pods=reachable(pods, PORT),
        stable=reachable(others, PORT),
        speaks=state.phase in (Phase.CHECKING, Phase.CHECKING_IN_PLACE),
    )


def crash(pods: list[Json]) -> Finding | None:
    """A container that ends again and again."""
    for pod in pods:
        for container in pod.get("status", {}).get("containerStatuses", ()):
            if container.get("state", {}).get("waiting", {}).get("reason") == CRASH:
                failure = last_failure([pod])
                return Finding(reason="CrashLoop", message=failure.describe() if failure else f"a container of {CRASH}")
    return None


def overdue(live: Json | None, pods: list[Json]) -> Finding | None:
    """A Deployment that makes no progress for longer than the spec allows."""
    if condition_of(live, "Progressing").get("reason") != "ProgressDeadlineExceeded":
        return None
    failure = last_failure(pods)
    cause = f": {failure.describe()}" if failure else ""
    seconds = (live or {}).get("spec", {}).get("progressDeadlineSeconds", "")
    text = f"its pods were not ready within rollout.progressDeadlineSeconds ({seconds} s){cause}"
    return Finding(reason="ProgressDeadlineExceeded", message=text)
