"""How a text is to be spoken."""

from dataclasses import dataclass

NEUTRAL = "neutral"


@dataclass(frozen=True, slots=True)
class Delivery:
    """How a text is to be spoken. Each factor is 1 for the voice as it is.

    An empty ``voice`` means the default one; the server replaces it before the engine sees it.
    """

    voice: str = ""
    emotion: str = NEUTRAL
    speed: float = 1.0
    """From 0.25 to 4. 2 is twice as fast, at the same pitch."""
    pitch: float = 1.0
    """From 0.5 to 2. 2 is an octave higher, at the same speed."""
    volume: float = 1.0
    """From 0 to 2, in amplitude: 2 is 6 dB louder. The server applies it to the engine's samples."""


DEFAULT_DELIVERY = Delivery()
"""The default voice as it is."""
