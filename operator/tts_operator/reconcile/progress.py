"""What is said of a rollout that is going on, or has failed. Pure."""

from tts_operator.api import TTSService
from tts_operator.reconcile.observed import Observed
from tts_operator.reconcile.phase import Phase, State
from tts_operator.reconcile.pods import last_failure
from tts_operator.reconcile.rollout import Course
from tts_operator.reconcile.trial import pods_of
from tts_operator.reconcile.verdict import Verdict

WORDS = {
    Phase.CHECKING: "its pods are starting and must pass the speech check; no client reaches them yet",
    Phase.CHECKING_IN_PLACE: "its first pod is starting and must pass the speech check",
    Phase.SCALING: "more of its pods are starting for the next step",
    Phase.PREVIEWING: "its pods are ready; waiting for `kubectl tts promote {name}`",
    Phase.SWITCHED: "it receives all traffic; the old pods are kept for a while",
    Phase.PROMOTING: "it is replacing the old pods",
}


def progress(service: TTSService, course: Course, observed: Observed) -> Verdict | None:
    """The verdict on a rollout; None where there is none."""
    state = course.state
    if state is None:
        if course.held:
            text = (
                f"revision {course.towards.number} is waiting: spec.rollout.paused is true; set it to false to continue"
            )
            return Verdict(ready=False, reason="RolloutPaused", message=text)
        return None
    about = f"revision {course.towards.number} ({course.towards.name})"
    stays = f"revision {course.sets.revision.number} ({course.sets.revision.name})"
    if state.phase is Phase.ROLLED_BACK:
        text = (
            f"{about} was rolled back at {state.since} ({state.reason}): {state.message}. All traffic goes to {stays}, "
            "which is not what the spec asks for: correct the spec, or revert it"
        )
        return Verdict(ready=False, reason="RolledBack", message=text, stalled=True)
    if state.reason:
        stuck = (
            "It cannot be rolled back, because the previous ControllerRevision was deleted: apply a spec that works"
            if course.final
            else "rollout.autoRollback is false, so it stays where it is: "
            f"`kubectl tts abort {service.name}` rolls it back"
        )
        text = f"{about} is failing ({state.reason}): {state.message}. {stuck}"
        return Verdict(ready=False, reason=state.reason, message=text, stalled=True)
    return Verdict(
        ready=False, reason="RolloutInProgress", message=f"{about}: {_where(service, course, state, observed)}"
    )


def undone(course: Course) -> Verdict | None:
    """The verdict where somebody has asked for an older revision than the spec does; None where nobody has."""
    if course.towards.name == course.target.name:
        return None
    text = (
        f"revision {course.towards.number} ({course.towards.name}) runs because of an undo (annotation "
        f"tts-operator.io/undo), but the spec asks for revision {course.target.number}: revert the spec, or "
        "remove the annotation"
    )
    return Verdict(ready=False, reason="Undone", message=text, stalled=True)


def _where(service: TTSService, course: Course, state: State, observed: Observed) -> str:
    paused = "; paused because spec.rollout.paused is true" if service.spec.rollout.paused else ""
    if state.phase is Phase.STEPPING:
        step = state.step or 0
        until = "" if course.ends else f"; waiting for `kubectl tts promote {service.name}`"
        text = f"step {step + 1} of {state.steps}, with about {course.share} % of the traffic{until}"
    else:
        text = WORDS[state.phase].format(name=service.name)
    new = pods_of(observed, course.towards, in_place=False) + pods_of(observed, course.towards, in_place=True)
    failure = last_failure(new)
    spoken = f"; {state.message}" if state.message else ""
    return f"{text}{paused}{f'; {failure.describe()}' if failure else spoken}"
