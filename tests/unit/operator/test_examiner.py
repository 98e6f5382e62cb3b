"""What the pods of a service are asked to say, and what their live traffic says of them."""

import pytest

from tests.unit.operator.worlds import service
from tts_operator.api import Json
from tts_operator.api.rollout import PrometheusQuery
from tts_operator.reconcile.evidence import Examination, Reachable
from tts_operator.reconcile.examiner import Window, live_finding, metric_check, speech_plan
from tts_operator.speech.live import Counters, Traffic

POD = Reachable("http://10.0.0.1:7860", "uid")
HUB = "damo/speech_sambert-hifigan_tts_{}_16k"


def asked(**speech_check: object) -> Json:
    return {"rollout": {"speechCheck": speech_check}}


@pytest.mark.parametrize(
    "name, language",
    [
        (HUB.format("zhitian_emo_zh-cn"), "zh-cn"),
        (HUB.format("en-us"), "en-us"),
        ("mine/model", "zh-CN"),
        ("", "zh-CN"),
    ],
)
def test_texts_are_in_the_language_of_the_model(name: str, language: str) -> None:
    model = {"model": {"engine": "modelscope", "name": name, "revision": "v1"}} if name else {}
    plan = speech_plan(service(model), Examination(subject="s", pods={"new": POD}, speaks=True))
    assert plan.language == language
    assert ("。" in "".join(plan.texts)) is language.lower().startswith("zh")


def test_own_texts_and_limits() -> None:
    examination = Examination(subject="s", pods={"new": POD}, stable={"old": POD}, speaks=True)
    plan = speech_plan(service(asked(texts=["您好"], timeoutSeconds=3)), examination)
    assert (plan.texts, plan.max_seconds, plan.stable) == (("您好",), 3.0, None)
    compared = speech_plan(service(asked(compareWithStable=True)), examination)
    assert compared.stable is not None
    assert compared.stable.name == "old"


@pytest.mark.parametrize(
    "new, reason",
    [
        (Traffic(requests=100, errors=0, buckets=((1.0, 100.0), (float("inf"), 100.0))), None),
        (Traffic(requests=19, errors=19, buckets=((float("inf"), 19.0),)), None),
        (Traffic(requests=100, errors=10, buckets=((1.0, 100.0), (float("inf"), 100.0))), "ErrorRate"),
        (Traffic(requests=100, buckets=((3.0, 0.0), (5.0, 100.0), (float("inf"), 100.0))), "SlowAnswers"),
        (Traffic(requests=100, busy=60, buckets=((1.0, 100.0), (float("inf"), 100.0))), "Overloaded"),
    ],
    ids=["good", "too few to tell", "errors", "slow", "refuses"],
)
def test_live_traffic(new: Traffic, reason: str | None) -> None:
    finding = live_finding(service(), new, Traffic())
    assert (finding and finding.reason) == reason


@pytest.mark.parametrize("zero", [0, "0"])
def test_nothing_at_all_is_a_bound_too(zero: int | str) -> None:
    check = metric_check(PrometheusQuery(name="errors", query="sum(errors)", max=zero))
    assert (check.max, check.min) == (0.0, None)


def test_a_window_counts_the_last_minute_of_the_pods_that_are_there() -> None:
    window = Window()
    for second in range(0, 200, 2):
        for pod in ("a", "b"):
            window.add(pod, float(second), Counters({("/api/tts", "200"): 10.0 + second}))
        window.forget(float(second), {"a", "b"})
    assert window.traffic().requests == pytest.approx(2 * 60, abs=4)
    window.forget(200.0, {"a"})
    assert window.traffic().requests == pytest.approx(60, abs=2)
