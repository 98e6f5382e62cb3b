import pytest

from tts_server.synthesis.admission import Admission, CostModel, OverloadedError, work

SECOND = 100
"""So many syllables take a thread a second here."""


def admission_of(*, threads: int, queue_seconds: float) -> Admission:
    return Admission(CostModel(1 / SECOND), threads=threads, queue_seconds=queue_seconds)


def test_an_idle_server_takes_any_text() -> None:
    admission_of(threads=1, queue_seconds=0).admit(1000 * SECOND)


def test_work_beyond_the_bound_is_refused_with_the_time_until_there_is_room() -> None:
    admission = admission_of(threads=2, queue_seconds=2.0)
    admission.admit(10 * SECOND)  # five seconds of two threads
    with pytest.raises(OverloadedError) as caught:
        admission.admit(0.1 * SECOND)
    assert caught.value.retry_after == 3
    admission.release(6 * SECOND)
    admission.admit(0.1 * SECOND)
    assert admission.backlog == pytest.approx(2.05)


def test_the_wait_asked_for_is_at_least_a_second() -> None:
    admission = admission_of(threads=1, queue_seconds=1.0)
    admission.admit(1.01 * SECOND)
    with pytest.raises(OverloadedError, match="Retry in 1 s"):
        admission.admit(SECOND)


def test_a_handful_of_greetings_is_let_in_however_slow_the_machine_is() -> None:
    admission = Admission(CostModel(seconds_per_syllable=0.5), threads=2, queue_seconds=2.0)
    for _ in range(8):
        admission.admit(work(2, 1.0))
    assert admission.backlog > 10
    admission.admit(work(2, 1.0))
    with pytest.raises(OverloadedError):
        admission.admit(work(2, 1.0))


def test_work_that_has_waited_too_long_is_refused_while_more_waits() -> None:
    admission = admission_of(threads=1, queue_seconds=2.0)
    admission.admit(4 * SECOND)
    admission.check_wait(2.4)
    with pytest.raises(OverloadedError, match="Retry in 2 s"):
        admission.check_wait(2.6)
    admission.release(3.8 * SECOND)
    admission.check_wait(2.6)


def test_releasing_never_makes_room_that_is_not_there() -> None:
    admission = admission_of(threads=1, queue_seconds=1.0)
    admission.admit(0.1)
    admission.release(0.1 + 1e-9)
    assert admission.backlog == 0.0


def test_what_rounding_leaves_of_work_that_is_done_counts_as_nothing() -> None:
    admission = admission_of(threads=1, queue_seconds=0)
    parts = [0.1, 0.2, 0.3]
    assert sum(parts) - parts[0] - parts[1] - parts[2] > 0
    admission.admit(sum(parts))
    for part in parts:
        admission.release(part)
    assert admission.backlog == 0.0


def test_work_that_was_let_in_too_cheap_counts_at_its_price_once_that_is_known() -> None:
    cost = CostModel(seconds_per_syllable=0.01)
    admission = Admission(cost, threads=1, queue_seconds=2.0)
    for _ in range(3):
        admission.admit(50)
    assert admission.backlog == pytest.approx(1.5)
    for _ in range(3):
        cost.learn(syllables=10, seconds=0.5)
    assert admission.backlog > 2.0 * 2
    with pytest.raises(OverloadedError):
        admission.admit(1)


def test_the_cost_is_learnt() -> None:
    cost = CostModel(seconds_per_syllable=1.0)
    for _ in range(200):
        cost.learn(syllables=20, seconds=0.4)
    assert cost.seconds_per_syllable == pytest.approx(0.02, rel=0.01)


def test_the_first_measurements_weigh_more_and_a_later_outlier_little() -> None:
    cost = CostModel(seconds_per_syllable=0.015)
    for _ in range(5):
        cost.learn(syllables=10, seconds=0.3)
    assert cost.seconds_per_syllable == pytest.approx(0.03, rel=0.1)
    for _ in range(50):
        cost.learn(syllables=10, seconds=0.3)
    cost.learn(syllables=10, seconds=3.0)
    assert cost.seconds_per_syllable < 0.05


def test_slow_speech_is_more_work() -> None:
    assert work(10, 0.5) == 2 * work(10, 1.0)


def test_a_greeting_is_as_much_work_as_a_phrase() -> None:
    assert work(1, 1.0) == work(8, 1.0) == work(8, 4.0)
