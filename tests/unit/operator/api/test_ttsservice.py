import pytest

from tests.unit.operator.worlds import NAME, NAMESPACE, UID, body
from tts_operator.api import InvalidSpecError, Spec, TTSService
from tts_operator.api.rollout import BlueGreen
from tts_operator.json_object import Json


def test_parse() -> None:
    parsed = TTSService.parse(body({"replicas": 5}, status={"url": "x"}, generation=7))
    assert (parsed.namespace, parsed.name, parsed.uid, parsed.generation) == (NAMESPACE, NAME, UID, 7)
    assert parsed.spec == Spec(replicas=5)
    assert parsed.status == {"url": "x"}
    assert not parsed.deleting


def test_deleting() -> None:
    assert TTSService.parse(body(deletionTimestamp="2026-01-01T00:00:00Z")).deleting


def test_a_bare_object() -> None:
    bare = {"metadata": {"namespace": "a", "name": "b", "uid": "c"}}
    assert TTSService.parse(bare).spec == Spec()


@pytest.mark.parametrize(
    "spec, where",
    [
        ({"replicas": -1}, "spec.replicas"),
        ({"model": {"engine": "parrot"}}, "spec.model.engine"),
        ({"resources": {"limits": {"cpu": "much"}}}, "spec.resources.limits.cpu"),
        ({"placement": {"tolerations": [{"operator": "Like"}]}}, "spec.placement.tolerations.0.operator"),
    ],
)
def test_a_spec_that_is_not_understood_names_the_field_and_the_cure(spec: Json, where: str) -> None:
    with pytest.raises(InvalidSpecError, match=rf"{where}: .*Apply the CRD"):
        TTSService.parse(body(spec))


@pytest.mark.parametrize("value, text", [(2, "2"), ("2", "2"), ("500m", "500m"), (".5", ".5"), ("4Gi", "4Gi")])
def test_quantities_are_kept_as_they_are_written(value: int | str, text: str) -> None:
    assert TTSService.parse(body({"resources": {"limits": {"cpu": value}}})).spec.resources.limits.cpu == text


@pytest.mark.parametrize(
    "analysis, rate",
    [
        ({}, 0.01),
        ({"maxErrorRate": "0.1%"}, 0.001),
        ({"maxErrorRate": "100%"}, 1.0),
        ({"maxErrorPercent": 5}, 0.05),
        ({"maxErrorPercent": 1, "maxErrorRate": "2.5%"}, 0.025),
    ],
)
def test_the_deprecated_percentage_counts_where_the_new_one_is_not_set(analysis: Json, rate: float) -> None:
    assert Spec.model_validate({"rollout": {"analysis": analysis}}).rollout.analysis.error_rate == pytest.approx(rate)


@pytest.mark.parametrize(
    "rollout, rolls_back",
    [
        ({}, True),
        ({"failurePolicy": "Hold"}, False),
        ({"autoRollback": False}, False),
        ({"autoRollback": True, "failurePolicy": "Hold"}, False),
        ({"autoRollback": False, "failurePolicy": "Rollback"}, True),
    ],
)
def test_a_failed_revision_is_rolled_back_unless_it_is_to_be_held(rollout: Json, rolls_back: bool) -> None:
    assert Spec.model_validate({"rollout": rollout}).rollout.rolls_back is rolls_back


@pytest.mark.parametrize(
    "blue_green, manual",
    [
        ({}, False),
        ({"promotion": "Manual"}, True),
        ({"autoPromote": False}, True),
        ({"autoPromote": True, "promotion": "Manual"}, True),
        ({"autoPromote": False, "promotion": "Automatic"}, False),
    ],
)
def test_traffic_is_switched_unless_somebody_is_to_promote(blue_green: Json, manual: bool) -> None:
    assert BlueGreen.model_validate(blue_green).is_manual is manual


@pytest.mark.parametrize("rate", ["1", "1.25%", "101%", "01%", "-1%", "100.5%", "%"])
def test_a_percentage_has_a_sign_and_one_decimal(rate: str) -> None:
    with pytest.raises(InvalidSpecError, match="maxErrorRate"):
        TTSService.parse(body({"rollout": {"analysis": {"maxErrorRate": rate}}}))
