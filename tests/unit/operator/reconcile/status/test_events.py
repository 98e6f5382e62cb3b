import re

import pytest

from tests.unit.operator.worlds import NAME, NAMESPACE, UID, body
from tts_operator.json_object import Json
from tts_operator.reconcile.status.events import PROGRESS, transition_event


def ready(status: str, reason: str, message: str = "m") -> Json:
    return {"type": "Ready", "status": status, "reason": reason, "message": message}


UP, OOM = ready("True", "Ready"), ready("False", "OOMKilled")
CREATING, ROLLING, STARTING = (ready("False", reason) for reason in ("Creating", "RolloutInProgress", "PodsNotReady"))


@pytest.mark.parametrize(
    "before, after, kind",
    [
        ({}, UP, "Normal"),
        ({}, OOM, "Warning"),
        ({}, CREATING, None),
        (CREATING, ROLLING, None),
        (ROLLING, STARTING, None),
        (STARTING, UP, "Normal"),
        (STARTING, OOM, "Warning"),
        (OOM, STARTING, None),
        (OOM, ready("False", "NameTaken"), "Warning"),
        (OOM, UP, "Normal"),
        (UP, ROLLING, "Normal"),
        (UP, STARTING, "Normal"),
        (UP, OOM, "Warning"),
        (UP, ready("True", "ScaledToZero"), "Normal"),
        (UP, ready("True", "Ready", "other words"), None),
        (OOM, ready("False", "OOMKilled", "other words"), None),
        (STARTING, ready("False", "PodsNotReady", "one more"), None),
    ],
)
def test_transitions(before: Json, after: Json, kind: str | None) -> None:
    event = transition_event(body()["metadata"], before, after)
    assert (event and event["type"]) == kind


def test_the_reasons_of_progress_are_those_of_the_report() -> None:
    waiting = {"RoutePending", "CertificateNotReady"}  # for somebody else, who is at work
    assert {"Creating", "RolloutInProgress", "RolloutPaused", "PodsNotReady", "Paused"} | waiting == PROGRESS


def event_of(message: str = "pod a: OOMKilled") -> Json:
    event = transition_event(body()["metadata"], UP, ready("False", "OOMKilled", message))
    assert event is not None
    return event


def test_what_the_api_asks_of_an_event() -> None:
    event = event_of()
    assert event["metadata"]["namespace"] == event["regarding"]["namespace"] == NAMESPACE
    assert re.fullmatch(rf"{NAME}-\d+-\d{{6}}", event["metadata"]["name"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", event["eventTime"])  # a MicroTime
    assert (event["regarding"]["name"], event["regarding"]["uid"]) == (NAME, UID)
    assert (event["reason"], event["note"]) == ("OOMKilled", "pod a: OOMKilled")
    assert event["action"]
    assert event["reportingController"]
    assert 0 < len(event["reportingInstance"]) <= 128


@pytest.mark.parametrize("letter", ["x", "声", "🎙"])
def test_a_long_note_is_cut_between_letters(letter: str) -> None:
    note = event_of(letter * 2000)["note"]
    assert 990 < len(note.encode()) <= 1024
    assert set(note) == {letter}
