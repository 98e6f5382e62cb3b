"""The values of ``prosody``, ``emphasis`` and ``break``, as factors and seconds."""

import re
from dataclasses import replace
from typing import Any

from tts_server.text.delivery import Delivery

RATES = {"x-slow": 0.5, "slow": 0.8, "medium": 1.0, "default": 1.0, "fast": 1.25, "x-fast": 1.6}
PITCHES = {"x-low": 0.75, "low": 0.88, "medium": 1.0, "default": 1.0, "high": 1.14, "x-high": 1.33}
VOLUMES = {"silent": 0.0, "x-soft": 0.4, "soft": 0.65, "medium": 1.0, "default": 1.0, "loud": 1.5, "x-loud": 2.0}
STRENGTHS = {"none": 0.0, "x-weak": 0.05, "weak": 0.1, "medium": 0.3, "strong": 0.6, "x-strong": 1.2}
"""Seconds. A weak break is as long as the pause at a comma, a medium one as that at the end of a sentence."""
EMPHASES = {"strong": (0.85, 1.08, 1.4), "moderate": (0.92, 1.04, 1.2), "none": (1, 1, 1), "reduced": (1.1, 0.98, 0.8)}
"""Factors of speed, pitch and volume."""
MAX_BREAK_SECONDS = 10.0
_RANGES = {"speed": (0.25, 4.0), "pitch": (0.5, 2.0), "volume": (0.0, 2.0)}
_ATTRIBUTES = {"rate": ("speed", RATES), "pitch": ("pitch", PITCHES), "volume": ("volume", VOLUMES)}
_PERCENT = re.compile(r"([+-]?)(\d{1,4}(?:\.\d{1,3})?)%")
_SEMITONES = re.compile(r"([+-]\d{1,2}(?:\.\d{1,2})?)st")
_DECIBELS = re.compile(r"([+-]\d{1,2}(?:\.\d{1,2})?)dB")
_FACTOR = re.compile(r"\d{1,2}(?:\.\d{1,3})?")
_TIME = re.compile(r"(\d{1,6}(?:\.\d{1,3})?)(ms|s)")
_EXAMPLES = {
    "rate": "80%, +20% or slow",
    "pitch": "+10%, -2st (semitones) or high",
    "volume": "+6dB, -20% or soft",
}


def with_prosody(delivery: Delivery, base: Delivery, attribute: str, value: str) -> Delivery:
    """Return the delivery within ``<prosody attribute="value">``.

    A name, such as ``slow``, replaces what elements around this one say, and goes by ``base``, the delivery of the
    request. Any other value is relative to ``delivery``. Raises ValueError that says what is wrong.
    """
    name, words = _ATTRIBUTES[attribute]
    if value in words:
        return _changed(delivery, name, getattr(base, name) * words[value], f"{attribute} {value!r}")
    factor = _factor(attribute, value)
    return _changed(delivery, name, getattr(delivery, name) * factor, f"{attribute} {value!r}")


def with_emphasis(delivery: Delivery, level: str) -> Delivery:
    """Return the delivery within ``<emphasis level="...">``, as far as there is room. Raises ValueError."""
    if level not in EMPHASES:
        raise ValueError(f"level must be one of {', '.join(EMPHASES)}, not {level!r}.")
    for name, factor in zip(_RANGES, EMPHASES[level], strict=True):
        low, high = _RANGES[name]
        before = getattr(delivery, name)
        delivery = _with(delivery, name, min(max(before * factor, min(low, before)), max(high, before)))
    return delivery


def break_seconds(time: str | None, strength: str | None) -> float:
    """Return the length of a ``break`` in seconds. ``time`` wins. Raises ValueError."""
    if time is None:
        strength = strength or "medium"
        if strength not in STRENGTHS:
            raise ValueError(f"strength must be one of {', '.join(STRENGTHS)}, not {strength!r}.")
        return STRENGTHS[strength]
    match = _TIME.fullmatch(time)
    if not match:
        raise ValueError(f"time must be a number of seconds or milliseconds, such as 1.5s or 500ms, not {time!r}.")
    seconds = float(match[1]) / (1000 if match[2] == "ms" else 1)
    if seconds > MAX_BREAK_SECONDS:
        raise ValueError(f"time is {time}, but a break is at most {MAX_BREAK_SECONDS:g}s long.")
    return seconds


def _factor(attribute: str, value: str) -> float:
    if match := _PERCENT.fullmatch(value):
        part = float(match[2]) / 100
        # In SSML, 80% is a factor and +20% a change; pitch and volume know only changes.
        if not match[1] and attribute == "rate":
            return part
        if match[1]:
            return 1 + part if match[1] == "+" else 1 - part
    if attribute == "rate" and _FACTOR.fullmatch(value):
        return float(value)
    if attribute == "pitch" and (match := _SEMITONES.fullmatch(value)):
        return float(2 ** (float(match[1]) / 12))
    if attribute == "volume" and (match := _DECIBELS.fullmatch(value)):
        return float(10 ** (float(match[1]) / 20))
    names = ", ".join(_ATTRIBUTES[attribute][1])
    raise ValueError(f"{attribute} must be like {_EXAMPLES[attribute]}, not {value!r}. The names are {names}.")


def _changed(delivery: Delivery, name: str, value: float, cause: str) -> Delivery:
    low, high = _RANGES[name]
    if not low <= value <= high:
        raise ValueError(
            f"With {cause} the {name} would be {value:.3g} times the voice's, but {low:g} to {high:g} work."
        )
    return _with(delivery, name, value)


def _with(delivery: Delivery, name: str, value: float) -> Delivery:
    change: dict[str, Any] = {name: round(value, 4)}
    return replace(delivery, **change)
