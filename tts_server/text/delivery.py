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
    volume: float = 1.0


DEFAULT_DELIVERY = Delivery()
"""The default voice as it is."""
