"""Speech without a server: for the command line."""

import time
from dataclasses import dataclass

import numpy as np

from tts_server.audio.pcm import pcm_bytes
from tts_server.engines import NEUTRAL, Engine

_SENTENCE = "您好，这是一次语音检查。"
_FULL_SCALE = 32768
# Speech, not noise: louder than a quiet room, softer than a clipped square wave, as long as its syllables take.
_RMS = (0.01, 0.5)
_SECONDS_PER_SYLLABLE = (0.08, 0.6)
_CLIPPED_AT = 0.999
_CLIPPED_SHARE = 0.001


@dataclass(frozen=True, slots=True)
class Report:
    """What a check found."""

    text: str
    problems: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether it is speech."""
        return not self.problems


def speak(engine: Engine, text: str, *, voice: str | None = None, speed: float = 1.0, emotion: str = NEUTRAL) -> bytes:
    """Return the text's PCM; raises ValueError for a text, voice or emotion that cannot be spoken, EngineError."""
    voice = voice or engine.voices[0].id
    if voice not in {each.id for each in engine.voices}:
        raise ValueError(f"There is no voice {voice!r}; see `tts-server voices`.")
    if emotion not in engine.emotions:
        raise ValueError(f"There is no emotion {emotion!r}; there are: {', '.join(engine.emotions)}.")
    sentences = engine.plan(text)
    session = engine.open_session()
    return b"".join(
        piece
        for each in sentences
        for piece in pcm_bytes(
            session.synthesise(each, voice=voice, speed=speed, emotion=emotion),
            pause=each.pause / speed,
            sample_rate=engine.sample_rate,
        )
    )


def judge(engine: Engine, *, voice: str, emotion: str, load_seconds: float) -> Report:
    """Speak a sentence and tell whether the sound has the length and the loudness of speech, and is not clipped.

    Raises ValueError for a voice or an emotion that is not there, EngineError.
    """
    start = time.perf_counter()
    pcm = speak(engine, _SENTENCE, voice=voice, emotion=emotion)
    took = time.perf_counter() - start
    samples = np.frombuffer(pcm, "<i2") / _FULL_SCALE
    seconds = len(samples) / engine.sample_rate
    rms = float(np.sqrt(np.mean(samples**2))) if len(samples) else 0.0
    clipped = float(np.mean(np.abs(samples) >= _CLIPPED_AT)) if len(samples) else 0.0
    syllables = sum(each.syllables for each in engine.plan(_SENTENCE))
    per_syllable = seconds / syllables
    problems = []
    if not _SECONDS_PER_SYLLABLE[0] < per_syllable < _SECONDS_PER_SYLLABLE[1]:
        low, high = _SECONDS_PER_SYLLABLE
        problems.append(f"{per_syllable:.2f} s for a syllable, where speech takes {low} to {high}")
    if not _RMS[0] < rms < _RMS[1]:
        problems.append(f"its loudness (RMS) is {rms:.3f} of full scale, where speech has {_RMS[0]} to {_RMS[1]}")
    if clipped > _CLIPPED_SHARE:
        problems.append(f"{clipped:.1%} of the samples are at full scale: it is clipped")
    return Report(
        f"engine {engine.name}, revision {engine.revision}, {engine.sample_rate} Hz, loaded in {load_seconds:.2f} s\n"
        f"voice {voice}, {emotion}, {syllables} syllables: {seconds:.2f} s of sound ({per_syllable:.2f} s each) with "
        f"an RMS of {rms:.3f}, made in {took:.2f} s with the warm-up",
        tuple(problems),
    )
