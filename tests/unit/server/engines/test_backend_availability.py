"""When a backend counts as away, and when as back."""

import pytest

from tts_server.engines.backend.availability import MAX_FAILURES, MAX_MISSES, Availability
from tts_server.engines.backend.checking import CheckedBackend
from tts_server.engines.protocol import BackendBusyError, BackendError, BackendRefusedError, EngineError


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def availability(clock: Clock) -> Availability:
    """That of a backend that can speak."""
    made = Availability(clock)
    made.answered(spoke=True)
    assert not made.problem
    return made


def test_a_backend_is_away_until_it_has_spoken(clock: Clock) -> None:
    availability = Availability(clock)
    assert availability.problem
    availability.answered(spoke=False)
    assert availability.problem
    assert availability.doubtful
    availability.answered(spoke=True)
    assert not availability.problem
    assert not availability.doubtful


def test_one_missed_check_is_no_outage_and_two_are(availability: Availability) -> None:
    availability.missed("late", since=availability.now())
    assert not availability.problem
    availability.answered(spoke=False)
    for _ in range(MAX_MISSES):
        assert not availability.silent
        availability.missed("gone", since=availability.now())
    assert str(availability.problem) == "gone"
    assert availability.silent
    availability.answered(spoke=False)
    assert str(availability.problem) == "gone", "it must speak first"
    availability.answered(spoke=True)
    assert not availability.silent


def test_a_backend_that_is_busy_with_requests_is_there(availability: Availability, clock: Clock) -> None:
    for _ in range(5):
        since = availability.now()
        clock.now += 1
        availability.heard()
        clock.now += 1
        availability.missed("late", since=since)
    assert not availability.problem


def test_failures_in_a_row_open_the_breaker_and_only_a_check_closes_it(availability: Availability) -> None:
    for _ in range(MAX_FAILURES - 1):
        availability.failed("broken")
    availability.spoke()
    for _ in range(MAX_FAILURES - 1):
        availability.failed("broken")
        assert not availability.problem
    availability.failed("broken")
    assert availability.problem == "broken"
    availability.spoke()  # a request from before
    assert availability.problem == "broken"
    availability.answered(spoke=True)
    assert not availability.problem
    availability.failed("again")
    assert not availability.problem, "the count began anew"


def test_texts_that_fail_only_raise_doubt(availability: Availability) -> None:
    for _ in range(10 * MAX_FAILURES):
        availability.failed("not speech", by_text=True)
    assert not availability.problem
    assert availability.doubtful


class Scripted:
    """A backend that answers as the test says."""

    def __init__(self) -> None:
        self.not_ready: Exception | None = None
        self.mute: Exception | None = None
        self.spoke = 0

    def ask(self) -> None:
        if self.not_ready:
            raise self.not_ready

    def speak(self) -> None:
        self.spoke += 1
        if self.mute:
            raise self.mute


@pytest.fixture
def scripted() -> Scripted:
    return Scripted()


@pytest.fixture
def backend(scripted: Scripted) -> CheckedBackend:
    return CheckedBackend(Availability(), ask=scripted.ask, speak=scripted.speak)


def test_a_backend_speaks_only_where_there_is_doubt(backend: CheckedBackend, scripted: Scripted) -> None:
    for _ in range(3):
        backend.check()
    assert (backend.problem, scripted.spoke) == ("", 1)
    backend.availability.failed("not speech", by_text=True)
    backend.check()
    backend.check()
    assert scripted.spoke == 2


def test_what_is_ready_and_cannot_speak_is_away_at_once(backend: CheckedBackend, scripted: Scripted) -> None:
    backend.check()
    backend.availability.failed("not speech", by_text=True)
    scripted.mute = BackendError("It sends silence.")
    backend.check()
    assert backend.problem == "It sends silence."
    scripted.mute = None
    backend.check()
    assert not backend.problem


def test_a_busy_backend_stays_what_it_was(backend: CheckedBackend, scripted: Scripted) -> None:
    scripted.mute = BackendBusyError("Too many requests.")
    backend.check()
    assert backend.problem
    scripted.mute = None
    backend.check()
    backend.availability.failed("not speech", by_text=True)
    scripted.mute = BackendBusyError("Too many requests.")
    backend.check()
    assert not backend.problem
    assert backend.availability.doubtful


def test_what_is_wrong_is_away_at_once(backend: CheckedBackend, scripted: Scripted) -> None:
    backend.check()
    scripted.not_ready = BackendRefusedError("The model is unloaded.")
    backend.check()
    assert backend.problem == "The model is unloaded."


def test_the_start_waits_for_a_backend(backend: CheckedBackend, scripted: Scripted) -> None:
    answers = iter([BackendError("starts"), BackendRefusedError("loads"), BackendError("starts"), None])

    def ask() -> None:
        scripted.not_ready = next(answers)
        scripted.ask()

    backend = CheckedBackend(Availability(), ask=ask, speak=scripted.speak)
    backend.wait(pause=0.001)
    assert backend.problem == ""
    assert next(answers, "all were asked") == "all were asked"


@pytest.mark.parametrize("problem", [BackendRefusedError("No such voice."), BackendError("No such sound.")])
def test_the_start_does_not_wait_for_ever_for_what_refuses_or_is_no_speech(
    backend: CheckedBackend, scripted: Scripted, problem: EngineError
) -> None:
    scripted.mute = problem
    with pytest.raises(EngineError, match="No such"):
        backend.wait(patience=0.01, pause=0.001)
    assert scripted.spoke > 1
