"""Speech without a server: for the command line."""

import time
from dataclasses import dataclass

import numpy as np

from tts_server.audio import BYTES_PER_SAMPLE, sentence_bytes
from tts_server.engines import NEUTRAL, Engine

_SENTENCE = "您好，这是一次语音检查。"
_FULL_SCALE = 32768
# Speech, not noise: louder than a quiet room, softer than a clipped square wave, as long as its syllables take.
_RMS = (0.01, 0.5)
_SECONDS_PER_SYLLABLE = (0.08, 0.6)


@dataclass(frozen=True, slots=True)
class Report:
    """What a check found."""

    ok: bool
    text: str


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
        sentence_bytes(
            session.synthesise(each, voice=voice, speed=speed, emotion=emotion),
            each,
            sample_rate=engine.sample_rate,
            speed=speed,
        )
        for each in sentences
    )


def judge(engine: Engine, *, load_seconds: float) -> Report:
    """Speak a sentence and tell whether the sound has the length and the loudness of speech."""
    start = time.perf_counter()
    pcm = speak(engine, _SENTENCE)
    took = time.perf_counter() - start
    seconds = len(pcm) / BYTES_PER_SAMPLE / engine.sample_rate
    rms = float(np.sqrt(np.mean((np.frombuffer(pcm, "<i2") / _FULL_SCALE) ** 2)))
    syllables = sum(each.syllables for each in engine.plan(_SENTENCE))
    per_syllable = seconds / syllables
    ok = _RMS[0] < rms < _RMS[1] and _SECONDS_PER_SYLLABLE[0] < per_syllable < _SECONDS_PER_SYLLABLE[1]
    return Report(
        ok,
        f"engine {engine.name}, revision {engine.revision}, {engine.sample_rate} Hz, loaded in {load_seconds:.2f} s\n"
        f"{syllables} syllables: {seconds:.2f} s of sound ({per_syllable:.2f} s each) with an RMS of {rms:.3f}, "
        f"made in {took:.2f} s with the warm-up",
    )
