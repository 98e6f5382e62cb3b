"""What is said of a rollout that is going on, or has failed. Pure."""

from tts_operator.api import TTSService
from tts_operator.reconcile.observed.pods import last_failure
from tts_operator.reconcile.observed.snapshot import Observed
from tts_operator.reconcile.rollout.candidate_pods import pods_of
from tts_operator.reconcile.rollout.decision import Course
from tts_operator.reconcile.rollout.state import Phase, State
from tts_operator.reconcile.status.conditions import Verdict

WORDS = {
    Phase.CHECKING: "its pods start and must speak; no client reaches them yet",
    Phase.CHECKING_IN_PLACE: "its first pod starts and must speak",
    Phase.SCALING: "more of its pods start for the next step",
    Phase.PREVIEWING: "its pods are ready, and wait for `kubectl tts promote {name}`",
    Phase.SWITCHED: "all traffic is with it; the old pods are kept for a while",
    Phase.PROMOTING: "it replaces the old pods",
}


def progress(service: TTSService, course: Course, observed: Observed) -> Verdict | None:
    """The verdict on a rollout; None where there is none."""
    state = course.state
    if state is None:
        if course.held:
            text = (
                f"revision {course.towards.number} waits: spec.rollout.paused is true; set it to false to roll it out"
            )
            return Verdict(ready=False, reason="RolloutPaused", message=text)
        return None
    about = f"revision {course.towards.number} ({course.towards.name})"
    stays = f"revision {course.sets.revision.number} ({course.sets.revision.name})"
    if state.phase is Phase.ROLLED_BACK:
        text = (
            f"{about} was rolled back at {state.since} ({state.reason}): {state.message}. All traffic is with {stays}, "
            "and the spec is not what runs: correct it, or set it back to what it was"
        )
        return Verdict(ready=False, reason="RolledBack", message=text, stalled=True)
    if state.reason:
        stuck = (
            "It stays where it is, because the ControllerRevision to go back to was deleted: apply a spec that works"
            if course.final
            else "rollout.autoRollback is false, so that it stays where it is: "
            f"`kubectl tts abort {service.name}` removes it"
        )
        text = f"{about} fails ({state.reason}): {state.message}. {stuck}"
        return Verdict(ready=False, reason=state.reason, message=text, stalled=True)
    return Verdict(
        ready=False, reason="RolloutInProgress", message=f"{about}: {_where(service, course, state, observed)}"
    )


def undone(course: Course) -> Verdict | None:
    """The verdict where somebody has asked for an older revision than the spec does; None where nobody has."""
    if course.towards.name == course.target.name:
        return None
    text = (
        f"by hand (annotation tts-operator.io/undo) revision {course.towards.number} ({course.towards.name}) runs, "
        f"though the spec asks for revision {course.target.number}: set the spec back to what it was, or "
        "remove the annotation"
    )
    return Verdict(ready=False, reason="Undone", message=text, stalled=True)


def _where(service: TTSService, course: Course, state: State, observed: Observed) -> str:
    paused = "; it stays here as long as spec.rollout.paused is true" if service.spec.rollout.paused else ""
    if state.phase is Phase.STEPPING:
        step = state.step or 0
        until = "" if course.ends else f", until `kubectl tts promote {service.name}`"
        text = f"step {step + 1} of {state.steps}, about {course.share} % of the traffic is with it{until}"
    else:
        text = WORDS[state.phase].format(name=service.name)
    new = pods_of(observed, course.towards, in_place=False) + pods_of(observed, course.towards, in_place=True)
    failure = last_failure(new)
    spoken = f"; {state.message}" if state.message else ""
    return f"{text}{paused}{f'; {failure.describe()}' if failure else spoken}"
