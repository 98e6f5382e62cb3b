"""Check that an engine produces speech."""

import time
from dataclasses import dataclass

import numpy as np

from tts_server.cli.speak import speak
from tts_server.engines import Delivery, Engine, plain_script

_TEXT = "您好，这是一次语音检查。"
_FULL_SCALE = 32768
# Speech, not noise: louder than a quiet room, softer than a clipped square wave, as long as its syllables take.
_RMS = (0.01, 0.5)
_SECONDS_PER_SYLLABLE = (0.08, 0.6)
_CLIPPED_AT = 0.999
_MAX_CLIPPED_SHARE = 0.001


@dataclass(frozen=True, slots=True)
class Report:
    """The result of a check."""

    text: str
    problems: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether the audio is speech."""
        return not self.problems


def check_speech(engine: Engine, *, voice: str, emotion: str, load_seconds: float) -> Report:
    """Speak a sentence, and check that the audio has the length and loudness of speech and is not clipped.

    Raises ValueError for a voice or an emotion that the engine does not have, and EngineError.
    """
    start = time.perf_counter()
    pcm = speak(engine, _TEXT, voice=voice, emotion=emotion)
    synthesis_seconds = time.perf_counter() - start
    samples = np.frombuffer(pcm, "<i2") / _FULL_SCALE
    seconds = len(samples) / engine.sample_rate
    rms = float(np.sqrt(np.mean(samples**2))) if len(samples) else 0.0
    clipped = float(np.mean(np.abs(samples) >= _CLIPPED_AT)) if len(samples) else 0.0
    syllables = sum(each.syllables for each in engine.plan(plain_script(_TEXT, Delivery(voice, emotion))))
    per_syllable = seconds / syllables
    problems = []
    if not _SECONDS_PER_SYLLABLE[0] < per_syllable < _SECONDS_PER_SYLLABLE[1]:
        low, high = _SECONDS_PER_SYLLABLE
        problems.append(f"it lasts {per_syllable:.2f} s per syllable; expected {low} to {high}")
    if not _RMS[0] < rms < _RMS[1]:
        problems.append(f"its loudness (RMS) is {rms:.3f} of full scale; expected {_RMS[0]} to {_RMS[1]}")
    if clipped > _MAX_CLIPPED_SHARE:
        problems.append(f"it is clipped: {clipped:.1%} of the samples are at full scale")
    return Report(
        f"engine {engine.name}, revision {engine.revision}, {engine.sample_rate} Hz, loaded in {load_seconds:.2f} s\n"
        f"voice {voice}, emotion {emotion}: {syllables} syllables, {seconds:.2f} s of audio ({per_syllable:.2f} s per "
        f"syllable), RMS {rms:.3f}, synthesised in {synthesis_seconds:.2f} s including warm-up",
        tuple(problems),
    )
