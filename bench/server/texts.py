"""Texts to speak, at random but the same in each run."""

from __future__ import annotations

import random
from collections.abc import Iterator

_CHARACTERS = "春眠不觉晓处闻啼鸟夜来风雨声花落知多少今天气温上海北京欢迎致电客户服务中心请问有什么可以帮您订单已经发货"


def texts(characters: int, seed: int) -> Iterator[str]:
    """Yield different texts of a number of characters. Long ones contain commas and full stops."""
    chosen = random.Random(seed)  # noqa: S311 - not a secret
    while True:
        made = chosen.choices(_CHARACTERS, k=characters)
        for at in range(11, characters - 1, 12):
            made[at] = "。" if at % 36 == 35 else "，"  # noqa: PLR2004 - every third
        yield "".join(made)


def take_text(characters: int, seed: int, count: int) -> list[str]:
    """Return the first `count` texts."""
    stream = texts(characters, seed)
    return [next(stream) for _ in range(count)]
