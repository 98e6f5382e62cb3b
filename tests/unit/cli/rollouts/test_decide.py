"""What each command writes in each state, and what it says where it writes nothing."""

from __future__ import annotations

import pytest

from tests.unit.cli.services_in_states import (
    NAMES,
    NOW,
    ROLLOUT,
    TYPED,
    a_service,
    blue_green,
    canary,
    marked,
    rolled_back,
    rolling_out,
    undone,
)
from tts_operator.cli.refused import RefusedError
from tts_operator.cli.rollouts.decide import Decision, abort, clear_undo, find, promote, undo
from tts_operator.cli.view import ABORT, PROMOTE, UNDO, Service
from tts_operator.cli.wording import Names, Typed

FIRST_OF_ALL = a_service(current=None, target="narrator-3", rollout=rolling_out("Checking", revision="narrator-3"))
UNDOING = undone(rollout=rolling_out("Stepping", revision="narrator-4", currentStep=1, step=0, steps=1))


@pytest.mark.parametrize(
    "service, full, value",
    [
        (canary(), False, f"{ROLLOUT}/step-2"),
        (canary(), True, ROLLOUT),
        (canary(1), True, ROLLOUT),
        (canary(phase="Checking"), True, ROLLOUT),
        (canary(phase="Scaling"), True, ROLLOUT),
        (canary(annotations={PROMOTE: f"{ROLLOUT}/step-1"}), False, f"{ROLLOUT}/step-2"),
        (canary(annotations={PROMOTE: "narrator-5"}), False, f"{ROLLOUT}/step-2"),
        (canary(annotations={PROMOTE: f"{ROLLOUT}/step-2"}), True, ROLLOUT),
        (blue_green(), False, f"{ROLLOUT}/preview"),
        (blue_green("Switched"), True, ROLLOUT),
    ],
)
def test_promote_is_bound_to_the_revision_and_the_step(service: Service, full: bool, value: str) -> None:
    answer = promote(service, TYPED, full=full, now=NOW)
    assert (answer.annotation, answer.value) == (PROMOTE, value)
    assert "`kubectl tts status narrator --watch`" in answer.lines[-1]


@pytest.mark.parametrize(
    "service, full",
    [
        (canary(annotations={PROMOTE: f"{ROLLOUT}/step-2"}), False),
        (canary(annotations={PROMOTE: ROLLOUT}), False),
        (canary(annotations={PROMOTE: ROLLOUT}), True),
        (canary(1, annotations={PROMOTE: ROLLOUT}), False),
    ],
)
def test_a_second_promotion_writes_nothing(service: Service, full: bool) -> None:
    answer = promote(service, TYPED, full=full, now=NOW)
    assert not answer.annotation
    assert "already promoted" in answer.lines[0]


@pytest.mark.parametrize(
    "service, full, words",
    [
        (a_service(), False, ["no rollout is in progress", "`kubectl tts status narrator`"]),
        (a_service(), True, ["no rollout is in progress", "`kubectl tts status narrator`"]),
        (canary(1), False, ["step 1 of 3", "lasts 90 s more", "`kubectl tts promote narrator --full`"]),
        (canary(1, since=900), False, ["its time is over", "then the rollout continues"]),
        (canary(3), False, ["step 3 of 3", "its time is over"]),
        (canary(phase="Checking"), False, ["nothing to promote yet", "--full"]),
        (canary(phase="CheckingInPlace"), False, ["nothing to promote yet", "--full"]),
        (canary(phase="Promoting"), False, ["past its last step"]),
        (canary(phase="Promoting"), True, ["past its last step"]),
        (blue_green("Switched"), False, ["past its last pause"]),
        (a_service(target="narrator-6", rollout=rolling_out("Scaling")), True, ["Rolling", "on its own"]),
        (rolled_back(), False, ["narrator-6 was rolled back (SpeechCheckFailed)", "Change the spec", "revert"]),
        (rolled_back(), True, ["narrator-6 was rolled back (SpeechCheckFailed)", "Change the spec", "revert"]),
        (canary(seen=6), False, ["not processed the latest spec", "generation 7"]),
    ],
)
def test_promote_is_refused_where_nothing_waits_for_it(service: Service, full: bool, words: list[str]) -> None:
    says(lambda: promote(service, TYPED, full=full, now=NOW), words)


def test_promote_tells_that_rollouts_are_paused() -> None:
    answer = promote(canary(rollout_spec={"paused": True}), TYPED, full=False, now=NOW)
    assert answer.value
    assert "`kubectl tts resume narrator`" in " ".join(answer.lines)


def test_a_step_that_the_spec_no_longer_has_may_be_promoted() -> None:
    assert promote(canary(7), TYPED, full=False, now=NOW).value == f"{ROLLOUT}/step-7"


@pytest.mark.parametrize("service", [canary(), blue_green("Switched"), canary(phase="Promoting")])
def test_abort_is_bound_to_the_revision(service: Service) -> None:
    answer = abort(service, TYPED)
    assert (answer.annotation, answer.value) == (ABORT, ROLLOUT)
    assert "The spec still asks for it" in " ".join(answer.lines)


def test_abort_of_an_undo_tells_what_stays() -> None:
    answer = abort(UNDOING, TYPED)
    assert answer.value == "narrator-4@2026-11-25T11:00:00Z"
    assert "`kubectl tts undo narrator --clear`" in " ".join(answer.lines)


def test_a_second_abort_writes_nothing() -> None:
    assert not abort(canary(annotations={ABORT: ROLLOUT}), TYPED).annotation


@pytest.mark.parametrize(
    "service, words",
    [
        (a_service(), ["nothing to abort", "`kubectl tts undo narrator`"]),
        (rolled_back(), ["already rolled back (SpeechCheckFailed)"]),
        (FIRST_OF_ALL, ["first revision", "Change the spec"]),
    ],
)
def test_abort_is_refused_where_nothing_is_going_on(service: Service, words: list[str]) -> None:
    says(lambda: abort(service, TYPED), words)


@pytest.mark.parametrize(
    "service, to, value",
    [
        (a_service(), None, "narrator-4@narrator-5/5"),
        (a_service(), "3", "narrator-3@narrator-5/5"),
        (a_service(), "narrator-3", "narrator-3@narrator-5/5"),
        (a_service(current="narrator-6", target="narrator-6"), None, "narrator-5@narrator-6/6"),
        (rolled_back(), None, "narrator-4@narrator-6/6"),
        (undone(), None, "narrator-3@narrator-6/6"),
        (undone(), "5", "narrator-5@narrator-6/6"),
        (canary(), "3", "narrator-3@narrator-6/6"),
        # An undo of another target has ended with it.
        (a_service(annotations={UNDO: "narrator-3@narrator-4"}), None, "narrator-4@narrator-5/5"),
    ],
)
def test_undo_is_bound_to_what_the_spec_asks_for(service: Service, to: str | None, value: str) -> None:
    answer = undo(service, NAMES, TYPED, to=to)
    assert (answer.annotation, answer.value) == (UNDO, value)
    text = " ".join(answer.lines)
    assert "still asks for" in text
    assert f"`kubectl tts diff narrator {service.target[-1]} {value[9]}`" in text
    assert "`kubectl tts undo narrator --clear`" in text


@pytest.mark.parametrize(
    "service, stable, chosen",
    [
        (a_service(), {3}, 3),  # 4 was rolled back
        (a_service(), {3, 4}, 4),
        (a_service(), {3, 5}, 3),  # 5 runs again after a rollback
        (a_service(), set(), 4),  # an operator that marks none
        (a_service(current="narrator-6", target="narrator-6"), {3, 4}, 4),
        (rolled_back(), {3, 5}, 3),
        (undone(), {3, 4, 5}, 3),
    ],
)
def test_undo_returns_to_what_was_stable(service: Service, stable: set[int], chosen: int) -> None:
    value = undo(service, marked(stable=stable), TYPED, to=None).value
    assert value is not None
    assert value.startswith(f"narrator-{chosen}@")


def test_undo_returns_on_its_own_to_nothing_that_was_never_stable() -> None:
    failed = marked(stable={5})
    says(
        lambda: undo(a_service(), failed, TYPED, to=None),
        [
            "no revision older than the running one is known to have been stable",
            "`kubectl tts history narrator`",
            "--to NUMBER",
        ],
    )
    assert undo(a_service(), failed, TYPED, to="4").value == "narrator-4@narrator-5/5"


@pytest.mark.parametrize(
    "service, to, words",
    [
        (a_service(), "9", ["no revision '9'", "3, 4, 5, 6", "`kubectl tts history narrator`"]),
        (a_service(), "5", ["revision 5 is already running", "`kubectl tts history narrator`"]),
        (a_service(current="narrator-3", target="narrator-3"), None, ["no revision older", "revisionHistoryLimit"]),
        (canary(), None, ["rollout of revision 6", "`kubectl tts abort narrator`", "--to NUMBER"]),
        (canary(), "5", ["revision 5 is the stable revision", "`kubectl tts abort narrator`"]),
        (canary(), "6", ["being rolled out"]),
        (undone(), "6", ["`kubectl tts undo narrator --clear`"]),
        (undone(), "4", ["revision 4 is already running"]),
        (UNDOING, "6", ["--clear"]),
        (rolled_back(), "6", ["revision 6 was rolled back (SpeechCheckFailed)", "Change the spec"]),
        (rolled_back(), "5", ["revision 5 is already running"]),
        (a_service(target="narrator-6"), "6", ["is what the spec asks for"]),
        (a_service(current=None, target=None), None, ["not reported any revision"]),
        (a_service(seen=-1), None, ["not processed the latest spec"]),
    ],
)
def test_undo_is_refused_where_it_would_change_nothing(service: Service, to: str | None, words: list[str]) -> None:
    says(lambda: undo(service, NAMES, TYPED, to=to), words)


def test_an_undo_that_failed_is_not_tried_again() -> None:
    rollout = rolling_out("RolledBack", revision="narrator-4", reason="CrashLoop")
    service = a_service(target="narrator-6", annotations={UNDO: "narrator-4@narrator-6/6"}, rollout=rollout)
    says(lambda: undo(service, NAMES, TYPED, to="4"), ["revision 4 was rolled back", "(CrashLoop)"])
    assert undo(service, NAMES, TYPED, to="3").value == "narrator-3@narrator-6/6"


def test_a_second_undo_writes_nothing() -> None:
    service = a_service(annotations={UNDO: "narrator-4@narrator-5/5"})
    assert not undo(service, NAMES, TYPED, to="4").annotation
    assert undo(service, NAMES, TYPED, to=None).value == "narrator-3@narrator-5/5", "one further back"


def test_an_undo_ends() -> None:
    assert clear_undo(undone(), TYPED) == Decision(
        annotation=UNDO,
        lines=(
            "The undo ends; narrator-6, which the spec asks for, is rolled out.",
            "To follow it: `kubectl tts status narrator --watch`",
        ),
    )
    old = clear_undo(a_service(annotations={UNDO: "narrator-3@narrator-4"}), TYPED)
    assert "no effect" in old.lines[0]
    says(lambda: clear_undo(a_service(), TYPED), ["no undo is in effect"])


def test_a_revision_is_found_by_number_and_by_name() -> None:
    assert find(NAMES, "4", TYPED) is find(NAMES, "narrator-4", TYPED)
    says(lambda: find(Names(()), "4", TYPED), ["stored revisions: none"])


def test_nothing_is_written_to_what_is_being_deleted() -> None:
    metadata = {"name": "narrator", "deletionTimestamp": "2026-11-25T12:00:00Z"}
    from tts_operator.cli.view import service

    says(lambda: abort(service({"metadata": metadata}), TYPED), ["is being deleted"])


def test_what_to_type_next_has_the_flags_of_this_command() -> None:
    typed = Typed(name="narrator", flags=("--namespace=speech", "--context=my cluster"))
    says(
        lambda: promote(a_service(), typed, full=False, now=NOW),
        ["`kubectl tts status narrator --namespace=speech '--context=my cluster'`"],
    )


def says(call: object, words: list[str]) -> None:
    assert callable(call)
    with pytest.raises(RefusedError) as caught:
        call()
    assert [word for word in words if word not in str(caught.value)] == [], str(caught.value)
