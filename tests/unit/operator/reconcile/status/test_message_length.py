"""A condition's message is cut at the length that the API accepts: a longer one would lose the whole status."""

import pytest

from tests.unit.operator.worlds import NOW, body, counts, plan_for, service, world
from tts_operator.api.status import MESSAGE_MAX, Status, condition_message
from tts_operator.reconcile.children.changes import Applied, Refusal
from tts_operator.reconcile.status.report import compute_status, invalid_spec_status

LONG = "a webhook says 不 " * 10_000


@pytest.mark.parametrize(
    "text, found",
    [
        ("", ""),
        ("no", "no"),
        ("不" * MESSAGE_MAX, "不" * MESSAGE_MAX),
        ("不" * (MESSAGE_MAX + 1), "不" * (MESSAGE_MAX - 3) + "..."),
    ],
)
def test_only_a_longer_message_is_cut(text: str, found: str) -> None:
    assert condition_message(text) == found


def test_a_refusal_of_any_length_is_reported() -> None:
    asked = service()
    refusal = Refusal(child="Deployment narrator", reason="Forbidden", message=LONG)
    status = compute_status(
        asked, world(asked, deployment=counts()), plan_for(asked, "narrator-1"), Applied(refusals=[refusal]), NOW
    )
    read = Status.model_validate(status)
    stalled = next(each for each in read.conditions if each.type == "Stalled")
    assert stalled.message.startswith("cannot apply Deployment narrator: a webhook says")
    assert len(stalled.message) == MESSAGE_MAX


def test_an_invalid_spec_of_any_length_is_reported() -> None:
    status = invalid_spec_status(body(), LONG, NOW)
    assert {len(each.message) for each in Status.model_validate(status).conditions} == {MESSAGE_MAX}
