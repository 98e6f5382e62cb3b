"""How a state is judged, and in which words."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.cli.services_in_states import (
    NAMES,
    NOW,
    ROLLOUT,
    TYPED,
    a_service,
    blue_green,
    canary,
    rolled_back,
    rolling_out,
    undone,
)
from tts_operator.cli.services.status import State, block, document, headline, state_of
from tts_operator.cli.view import ABORT, PROMOTE, UNDO, Service
from tts_operator.cli.wording import age, duration

FIRST_STALLED = a_service(
    current=None, target="narrator-3", conditions={"Stalled": "ProgressDeadlineExceeded"}, rollout=None
)


@pytest.mark.parametrize(
    "service, state, words",
    [
        (a_service(), State.ROLLED_OUT, "revision 5 is rolled out"),
        (a_service(seen=6), State.PENDING, "the operator has not processed the latest spec yet"),
        (a_service(seen=-1, current=None, target=None), State.PENDING, "not processed the latest spec"),
        (a_service(current=None, target=None), State.PENDING, "the operator has not reported any revision yet"),
        (a_service(target="narrator-6"), State.PENDING, "revision 6 is waiting to be rolled out"),
        (
            a_service(target="narrator-6", conditions={"Reconciling": "RolloutInProgress"}),
            State.IN_PROGRESS,
            "revision 6 is being rolled out",
        ),
        (canary(), State.IN_PROGRESS, "revision 6 is being rolled out: step 2 of 3, 50 % of the traffic"),
        (
            canary(rollout_spec={"paused": True}),
            State.IN_PROGRESS,
            "revision 6 is being rolled out: step 2 of 3, 50 % of the traffic (rollouts are paused)",
        ),
        (blue_green(), State.IN_PROGRESS, "behind the preview Service only"),
        (blue_green("New"), State.IN_PROGRESS, "being rolled out: New"),
        (canary(phase="Checking"), State.IN_PROGRESS, "checking that the new pods produce speech"),
        (rolled_back(), State.ROLLED_BACK, "revision 6 was rolled back: SpeechCheckFailed, 4 min ago"),
        (rolled_back(seen=6), State.PENDING, "the operator has not processed the latest spec yet"),
        (
            a_service(target="narrator-6", conditions={"Stalled": "RolledBack"}),
            State.ROLLED_BACK,
            "revision 6 was rolled back",
        ),
        (FIRST_STALLED, State.STALLED, "revision 3 is stalled: ProgressDeadlineExceeded"),
        (
            a_service(current=None, target=None, conditions={"Stalled": "PolicyViolation"}),
            State.STALLED,
            "the policy does not allow the spec, so nothing was changed: PolicyViolation",
        ),
        (
            a_service(rollout=rolling_out("RolledBack"), conditions={"Stalled": "PolicyViolation"}),
            State.STALLED,
            "the policy does not allow the spec",
        ),
        (undone(), State.UNDONE, "revision 4 runs because of an undo; the spec asks for revision 6"),
        (undone(conditions={"Stalled": "Undone"}), State.UNDONE, "because of an undo"),
        (
            undone(rollout=rolling_out("RolledBack"), conditions={"Stalled": "RolledBack"}),
            State.UNDONE,
            "because of an undo",
        ),
        # Written, and the operator has not looked yet.
        (
            a_service(annotations={UNDO: "narrator-4@narrator-5"}),
            State.PENDING,
            "revision 4 is waiting to be rolled out",
        ),
        (a_service(annotations={UNDO: "narrator-4@narrator-3"}), State.ROLLED_OUT, "revision 5 is rolled out"),
    ],
)
def test_each_state_has_its_judgement_and_its_words(service: Service, state: State, words: str) -> None:
    assert state_of(service) is state
    assert words in headline(service, NAMES, NOW)


def test_a_canary_that_holds_until_it_is_promoted() -> None:
    assert block(canary(), NAMES, TYPED, NOW).splitlines() == [
        "narrator: revision 6 is being rolled out: step 2 of 3, 50 % of the traffic",
        "  Strategy  Canary",
        "  Phase     Stepping for 30 s: step 2 of 3, 50 % of the traffic",
        "  Stable    5 (narrator-5, fastspeech2)",
        "  New       6 (narrator-6, fastspeech2)",
        "  Replicas  3 of 4 ready, 1 of the new revision",
        "  Traffic   50 % to the new revision",
        "  Message   Stepping it is.",
        "  Next      waiting for `kubectl tts promote narrator`; `kubectl tts abort narrator` rolls it back",
    ]


def test_a_revision_that_was_rolled_back() -> None:
    assert block(rolled_back(), NAMES, TYPED, NOW).splitlines() == [
        "narrator: revision 6 was rolled back: SpeechCheckFailed, 4 min ago",
        "  Strategy  Rolling",
        "  Stable    5 (narrator-5, fastspeech2)",
        "  New       6 (narrator-6, fastspeech2)",
        "  Replicas  3 of 4 ready, 1 of the new revision",
        "  Message   RolledBack it is.",
        "  Next      change the spec, or revert it to revision 5, which serves (`kubectl tts diff narrator`)",
    ]


@pytest.mark.parametrize(
    "service, words",
    [
        (canary(1), "continues in 90 s if its checks pass"),
        (canary(annotations={PROMOTE: f"{ROLLOUT}/step-2"}), "the rollout is promoted"),
        (canary(1, annotations={PROMOTE: ROLLOUT}), "the rollout is promoted"),
        (canary(annotations={ABORT: ROLLOUT}), "being aborted"),
        (canary(annotations={PROMOTE: f"{ROLLOUT}/step-1"}), "waiting for"),
        (blue_green(), "`kubectl tts promote narrator` switches the traffic"),
        (canary(rollout_spec={"paused": True}), "rollouts are paused; to continue, run `kubectl tts resume narrator`"),
        (a_service(target="narrator-6", spec={"paused": True}), "spec.paused is true"),
        (undone(), "commit the values of revision 4"),
        (undone(), "`kubectl tts undo narrator --clear`"),
    ],
)
def test_what_to_do_next(service: Service, words: str) -> None:
    assert words in block(service, NAMES, TYPED, NOW).partition("  Next ")[2]


def test_a_service_that_is_as_it_should_be_needs_no_advice() -> None:
    text = block(a_service(conditions={"Ready": "Ready"}), NAMES, TYPED, NOW)
    assert "Next" not in text
    assert "Message   Ready it is." in text


def test_an_older_operator_says_since_when_in_another_field() -> None:
    rollout = rolling_out("Scaling")
    newer = a_service(target="narrator-6", rollout=rollout).rollout
    del rollout["lastTransitionTime"]
    older = a_service(target="narrator-6", rollout=rollout).rollout
    assert newer is not None
    assert older is not None
    assert older.since == newer.since is not None


@pytest.mark.parametrize(
    "phase, more, step, place",
    [("Stepping", {"step": 0, "steps": 3}, 1, "0"), ("Previewing", {}, None, "0"), ("Switched", {}, None, "1")],
)
def test_an_older_operator_numbers_the_places(phase: str, more: dict[str, Any], step: int | None, place: str) -> None:
    rollout = rolling_out(phase, **more)
    del rollout["lastTransitionTime"]
    older = a_service(target="narrator-6", rollout=rollout).rollout
    assert older is not None
    assert (older.step, older.place) == (step, place)


def test_the_stable_revision_may_be_none() -> None:
    assert "Stable    none yet" in block(FIRST_STALLED, NAMES, TYPED, NOW)


def test_programs_get_names_and_numbers() -> None:
    found: dict[str, Any] = document(canary(), NAMES)
    assert found["state"] == "InProgress"
    assert found["current"] == {"name": "narrator-5", "number": 5}
    assert found["target"] == {"name": "narrator-6", "number": 6}
    assert found["rollout"]["currentStep"] == 2
    assert found["canaryWeight"] == 50
    assert document(a_service(), NAMES)["rollout"] is None


@pytest.mark.parametrize(
    "seconds, words",
    [
        (-3, "0 s"),
        (119, "119 s"),
        (120, "2 min"),
        (3569, "59 min"),
        (3599, "1 h"),
        (3600, "1 h"),
        (7500, "2 h 5 min"),
        (2e5, "2 d"),
    ],
)
def test_a_duration_is_as_exact_as_one_wants_to_know_it(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_an_age_may_be_unknown() -> None:
    assert age(None, NOW) == "?"


def test_what_others_wrote_does_not_steer_the_terminal() -> None:
    evil = "gone\x1b[2J\n  Next  rm -rf /\u202e"
    service = a_service(
        target="narrator-6",
        rollout=rolling_out("RolledBack", reason=evil) | {"message": evil},
        conditions={"Stalled": evil},
    )
    shown = block(service, NAMES, TYPED, NOW)
    assert shown.isprintable() or set(filter(lambda each: not each.isprintable(), shown)) == {"\n"}
    assert "gone [2J Next rm -rf /" in shown
    assert shown.count("\n  Next") == 1
    assert "\x9b" not in str(document(service, NAMES))
    assert document(service, NAMES)["rollout"]["message"] == "gone [2J Next rm -rf /"
