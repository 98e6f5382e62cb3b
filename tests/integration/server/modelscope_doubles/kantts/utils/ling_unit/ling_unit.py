"""Symbols to numbers, as KAN-TTS does it: six fields, each a row of numbers that ends with one for the end."""

import re
from typing import Any

import numpy as np

EMOTIONS = ("emotion_neutral", "emotion_happy", "emotion_sad", "emotion_angry", "emotion_fear")


class KanTtsLinguisticUnit:
    def __init__(self, config: Any) -> None:
        del config

    def get_unit_size(self) -> dict[str, int]:
        return {"sy": 64, "emotion": len(EMOTIONS), "speaker": 2}

    def using_byte(self) -> bool:
        return False

    def encode_symbol_sequence(self, symbols: str) -> list[Any]:
        rows = [each.split("$") for each in re.findall(r"\{([^}]*)\}", symbols)]
        sounds = np.array([int(row[0]) % 64 for row in rows] + [0])
        emotions = np.array([EMOTIONS.index(row[4]) for row in rows] + [0])
        return [sounds, sounds * 0, sounds * 0, sounds * 0, emotions, sounds * 0]
