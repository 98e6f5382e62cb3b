"""What can be all of the speech for a text, and what cannot."""

import numpy as np
import pytest

from tests.unit.server.engines.scripted_upstream import RATE, sound
from tts_server.audio.pcm import Pcm
from tts_server.engines.backend.sound import NotSpeechError, check_speech, longest_seconds


def silence(seconds: float) -> Pcm:
    return np.zeros(round(seconds * RATE), np.int16)


@pytest.mark.parametrize("syllables", [1, 2, 10, 40])
@pytest.mark.parametrize("pace", [0.5, 1, 2])
def test_speech_passes(syllables: int, pace: float) -> None:
    check_speech(sound(round(syllables * pace) or 1), sample_rate=RATE, syllables=syllables)


def test_silence_around_and_within_a_sentence_passes() -> None:
    samples = np.concatenate([silence(0.5), sound(1), silence(0.9)])
    check_speech(samples, sample_rate=RATE, syllables=1)
    check_speech(np.concatenate([sound(8), silence(0.9), sound(8)]), sample_rate=RATE, syllables=16)


@pytest.mark.parametrize(
    "samples,syllables,says",
    [
        (silence(0), 1, "too short"),
        (silence(2), 10, "too short for 10 syllables"),
        (sound(2), 10, "0.4 s of sound are too short for 10 syllables"),
        (np.concatenate([sound(2), silence(2)]), 10, "too short"),
        (np.concatenate([sound(10), silence(2)]), 20, "silent for 2.0 of 4.0 s"),
        (np.concatenate([silence(2), sound(10)]), 20, "silent for 2.0 of 4.0 s"),
        (np.concatenate([sound(5), silence(1.5), sound(5)]), 10, "silent for 1.5 of 3.5 s"),
        (sound(100), 10, "20.0 s of audio are too long"),
        (np.random.default_rng(1).integers(-32768, 32767, 2 * RATE, np.int16), 10, "noise"),
    ],
)
def test_what_is_not_all_of_the_speech_does_not(samples: Pcm, syllables: int, says: str) -> None:
    with pytest.raises(NotSpeechError, match=says):
        check_speech(samples, sample_rate=RATE, syllables=syllables)


def test_the_loudest_negative_sample_is_sound() -> None:
    samples = np.tile(np.array([-32768, 0, 0, 0, 0], np.int16), RATE // 5)
    check_speech(samples, sample_rate=RATE, syllables=5)


def test_speed_changes_what_is_right() -> None:
    check_speech(sound(40), sample_rate=RATE, syllables=10, speed=0.25)
    with pytest.raises(NotSpeechError, match="too short"):
        check_speech(sound(10), sample_rate=RATE, syllables=100, speed=0.5)
    assert longest_seconds(10, 2.0) == longest_seconds(10) / 2
