"""Recordings of the bundled engine, brought to 8 kHz, and sounds that are no speech."""

from __future__ import annotations

import math
import random
from array import array
from collections.abc import Callable
from pathlib import Path

from tts_operator.speech.recording import Recording, parse

FOLDER = Path(__file__).parent / "recordings"
SPOKEN = {
    "hello": "您好，世界。",
    "welcome": "欢迎使用语音合成服务。",
    "welcome-sad": "欢迎使用语音合成服务。",
    "digits-angry": "验证码是834521，请在5分钟内输入。",
}
RATE = 8000


def file_of(name: str) -> bytes:
    return (FOLDER / f"{name}.wav").read_bytes()


def spoken(name: str) -> Recording:
    return parse(file_of(name))


def recording(wave: Callable[[float], float], seconds: float = 2.5, rate: int = RATE) -> Recording:
    """The sound of a function of time in seconds, of full scale 1."""
    values = (round(32767 * max(-1.0, min(1.0, wave(number / rate)))) for number in range(round(seconds * rate)))
    return Recording(rate, array("h", values))


def scaled(sound: Recording, factor: float) -> Recording:
    """Louder, cut off at full scale; or softer."""
    return Recording(sound.rate, array("h", (max(-32768, min(32767, round(each * factor))) for each in sound.samples)))


def part(sound: Recording, begin: float, end: float) -> Recording:
    count = len(sound.samples)
    return Recording(sound.rate, sound.samples[round(count * begin) : round(count * end)])


def white() -> Callable[[float], float]:
    chance = random.Random(7)
    return lambda _: chance.gauss(0, 0.1)


def red() -> Callable[[float], float]:
    chance, held = random.Random(7), [0.0]

    def wave(_: float) -> float:
        held[0] = 0.98 * held[0] + chance.gauss(0, 0.02)
        return held[0]

    return wave


def tone(seconds: float) -> float:
    return 0.3 * math.sin(2 * math.pi * 440 * seconds)


def swelling(wave: Callable[[float], float]) -> Callable[[float], float]:
    """Four times a second up and down, as syllables do."""
    return lambda seconds: wave(seconds) * (0.55 - 0.45 * math.cos(2 * math.pi * 4 * seconds))
