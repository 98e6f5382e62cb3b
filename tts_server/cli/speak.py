"""Speak a text without a server."""

from tts_server.audio.pcm import pcm_bytes
from tts_server.engines import NEUTRAL, Delivery, Engine, plain_script


def speak(
    engine: Engine,
    text: str,
    *,
    voice: str | None = None,
    speed: float = 1.0,
    emotion: str = NEUTRAL,
    pitch: float = 1.0,
    volume: float = 1.0,
) -> bytes:
    """Return the text as 16-bit little-endian PCM, at the engine's sample rate.

    Raises ValueError for a text, voice or emotion that the engine cannot speak, and EngineError.
    """
    voice = voice or engine.voices[0].id
    if voice not in {each.id for each in engine.voices}:
        raise ValueError(f"Unknown voice {voice!r}. Run `tts-server voices` to list the voices.")
    if emotion not in engine.emotions:
        raise ValueError(f"Unknown emotion {emotion!r}. Available emotions: {', '.join(engine.emotions)}.")
    sentences = engine.plan(plain_script(text, Delivery(voice, emotion, speed, pitch, volume)))
    session = engine.open_session()
    return b"".join(
        chunk
        for each in sentences
        for chunk in pcm_bytes(
            session.synthesise(each), pause=each.pause, sample_rate=engine.sample_rate, volume=each.delivery.volume
        )
    )
