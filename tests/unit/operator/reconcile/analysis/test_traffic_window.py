"""The traffic within the last minute, and what is usual for the stable pods."""

import pytest

from tests.unit.operator.reconcile.analysis.counters import answers
from tts_operator.reconcile.analysis.traffic_window import MOST_SHAPES, Usual, Window
from tts_operator.speech.live import Counters


def test_what_is_usual_is_what_the_stable_pods_answer_now() -> None:
    usual, stable = Usual(), Window()
    stable.add("old", 0.0, answers(0, seconds=8))
    stable.add("old", 2.0, answers(20, seconds=8))
    assert usual.look(stable, 20) == pytest.approx(8, abs=0.1)


def test_what_is_usual_is_what_they_have_ever_answered_where_they_get_no_requests() -> None:
    usual, stable = Usual(), Window()
    for second in (0.0, 2.0):
        stable.add("old", second, answers(20, seconds=8))
    assert usual.look(stable, 21) is None
    assert usual.look(stable, 20) == pytest.approx(8, abs=0.1)


def test_what_is_usual_is_remembered_after_the_last_stable_pod_is_gone() -> None:
    usual, stable = Usual(), Window()
    stable.add("old", 0.0, answers(20, seconds=8))
    usual.look(stable, 20)
    stable.forget(2.0, [])
    assert usual.look(stable, 20) == pytest.approx(8, abs=0.1)


def test_a_window_counts_the_last_minute_of_the_pods_that_are_there() -> None:
    window = Window()
    for second in range(0, 200, 2):
        for pod in ("a", "b"):
            window.add(pod, float(second), Counters({("/api/tts", "200"): 10.0 + second}))
        window.forget(float(second), {"a", "b"})
    assert window.traffic().requests == pytest.approx(2 * 60, abs=4)
    window.forget(200.0, {"a"})
    assert window.traffic().requests == pytest.approx(60, abs=2)


def test_a_window_forgets_what_a_pod_that_tells_something_else_each_time_has_told() -> None:
    window = Window()
    for second in range(100):
        window.add("a", float(second), Counters({("/api/tts", str(second)): 1.0}))
        window.forget(float(second), {"a"})
    assert len(window._scrapes["a"]) == MOST_SHAPES
    assert window.traffic().requests == 1
