"""Speech passes, and each fault fails for its own reason."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.unit.operator.speech.sounds import (
    SPOKEN,
    file_of,
    part,
    recording,
    red,
    scaled,
    spoken,
    swelling,
    tone,
    white,
)
from tts_operator.speech.judge import Judged, Limits, judge, judge_answer
from tts_operator.speech.length import plausible_seconds
from tts_operator.speech.measure import measure
from tts_operator.speech.recording import Recording

TEXT = SPOKEN["welcome"]
LIMITS = Limits()


def findings(sound: Recording, text: str = TEXT, seconds: float = 0.5, stable: Judged | None = None) -> list[str]:
    return list(judge(sound, text, seconds, LIMITS, stable=stable).findings)


@pytest.mark.parametrize("name", SPOKEN)
def test_speech_passes(name: str) -> None:
    judged = judge_answer(file_of(name), "audio/wav", SPOKEN[name], 0.5, LIMITS)
    assert judged.findings == ()
    assert judged.passed
    assert judged.measures is not None
    assert 0.1 < judged.measures.seconds / len(SPOKEN[name]) < 0.4


@pytest.mark.parametrize("factor", [0.2, 2.0])
def test_softer_and_louder_speech_passes(factor: float) -> None:
    assert findings(scaled(spoken("welcome"), factor)) == []


@pytest.mark.parametrize(
    "sound, said",
    [
        (lambda: recording(lambda _: 0.0), "the audio is silent: no part of 2.50 s is louder than -50 dBFS"),
        (lambda: recording(lambda _: 0.0005), "the audio is silent"),
        (lambda: recording(white()), "as steady as noise"),
        (lambda: recording(red()), "as steady as noise"),
        (lambda: recording(tone), "as steady as noise or a tone"),
        (lambda: recording(swelling(tone)), "the audio is a tone"),
        (lambda: recording(swelling(white())), "the audio is noise"),
        (lambda: scaled(spoken("welcome"), 8), "the audio is clipped"),
        (lambda: scaled(scaled(spoken("welcome"), 8), 0.3), "the audio is clipped"),
        (lambda: scaled(spoken("welcome"), 30), "the audio is too loud"),
        (lambda: scaled(spoken("welcome"), 0.05), "the audio is too quiet"),
        (lambda: part(spoken("welcome"), 0, 0.4), "1.2 to 6.7 s would be plausible"),
        (lambda: part(spoken("welcome"), 0, 0.6), "the audio is cut off"),
        (lambda: part(spoken("digits-angry"), 0, 0.02), "0.07 s of audio for 11 characters"),
        (lambda: Recording(8000, array("h")), "0.00 s of audio"),
        (lambda: Recording(8000, spoken("welcome").samples * 4), "10.15 s of audio for 11 characters"),
        (
            lambda: Recording(8000, spoken("hello").samples + array("h", [0] * 8000 * 5)),
            "of the audio is silence; the limit is 80%",
        ),
    ],
    ids=lambda value: value[:24] if isinstance(value, str) else "sound",
)
def test_faults_fail(sound: Callable[[], Recording], said: str) -> None:
    assert said in "; ".join(findings(sound()))


def test_a_time_limit() -> None:
    judged = judge(spoken("welcome"), TEXT, 2.5, replace(LIMITS, max_seconds=2.0))
    assert judged.findings == ("the answer took 2.50 s; the limit is 2 s",)


def test_a_short_text_may_end_abruptly() -> None:
    assert findings(part(spoken("hello"), 0, 0.5), "您好") == []


def test_a_voice_that_always_ends_abruptly() -> None:
    cut = part(spoken("welcome"), 0, 0.8)
    assert "the audio is cut off" in findings(cut)[0]
    stable = judge(cut, TEXT, 0.5, LIMITS)
    assert findings(cut, stable=stable) == []


def good(seconds: float = 0.2) -> Judged:
    return judge(spoken("welcome"), TEXT, seconds, LIMITS)


def test_like_the_stable_version() -> None:
    assert findings(spoken("welcome-sad"), seconds=0.4, stable=good()) == []


@pytest.mark.parametrize(
    "sound, seconds, said",
    [
        (lambda: part(spoken("welcome"), 0, 0.5), 0.2, "the stable version's 2.54 s"),
        (lambda: scaled(spoken("welcome"), 0.2), 0.2, "the stable version's -20"),
        (lambda: spoken("welcome"), 1.2, "6.0 times the stable version's 0.20 s; the limit is 3 times"),
    ],
    ids=["half", "quiet", "slow"],
)
def test_unlike_the_stable_version(sound: Callable[[], Recording], seconds: float, said: str) -> None:
    assert said in "; ".join(findings(sound(), seconds=seconds, stable=good()))


def test_small_times_are_not_compared() -> None:
    assert findings(spoken("welcome"), seconds=0.25, stable=good(0.01)) == []


def test_a_bad_stable_version_is_no_measure() -> None:
    noise = judge(recording(white()), TEXT, 0.01, LIMITS)
    assert not noise.passed
    assert findings(spoken("welcome"), seconds=5, stable=noise) == []


def test_a_page_with_200() -> None:
    judged = judge_answer(b"<html>Sign in</html>", "text/html; charset=utf-8", TEXT, 0.1, LIMITS)
    assert judged.findings == ("the answer is not a WAV file but HTML: '<html>Sign in</html>', sent as text/html",)
    assert judged.measures is None


def test_speech_under_a_wrong_name() -> None:
    judged = judge_answer(file_of("welcome"), "text/html", TEXT, 0.1, LIMITS)
    assert judged.findings == ("the audio is sent as text/html; it must be audio/wav",)


@pytest.mark.parametrize("kind", ["audio/x-wav", "Audio/WAV; codecs=1", "application/octet-stream", ""])
def test_other_names_of_wav(kind: str) -> None:
    assert judge_answer(file_of("welcome"), kind, TEXT, 0.1, LIMITS).passed


def test_measures_hold_at_every_rate() -> None:
    slow = recording(tone, rate=8000)
    fast = recording(tone, rate=48_000)
    assert measure(slow).loudness == pytest.approx(measure(fast).loudness, abs=0.1)
    assert measure(slow).seconds == measure(fast).seconds


def test_a_long_recording_is_measured_in_part() -> None:
    long = Recording(8000, spoken("welcome").samples * 50)
    whole, one = measure(long), measure(spoken("welcome"))
    assert whole.seconds == pytest.approx(50 * one.seconds)
    assert whole.loudness == pytest.approx(one.loudness, abs=1)
    assert whole.silent == pytest.approx(one.silent, abs=0.05)


@pytest.mark.parametrize(
    "text, said_in",
    [
        ("您好", 0.8),
        ("一二三四五六七八九十。", 2.1),
        ("The quick brown fox jumps over the lazy dog.", 2.4),
        ("π≈3.14159，√2≈1.414", 5.4),
        ("订单123456789已发货", 2.8),
        ("こんにちは、世界", 1.4),
        ("안녕하세요", 1.0),
        ("😀", 0.3),
    ],
)
def test_plausible_lengths(text: str, said_in: float) -> None:
    span = plausible_seconds(text)
    assert span.low < said_in < span.high
