"""Other libraries' readings. Runs in an environment of its own, so it imports nothing from this repository.

Usage: ``python peers.py NAME``, with a JSON list of texts on standard input. Writes a JSON object: ``readings``, one
for each text (a list of syllables, or the spoken text), ``load_seconds``, and ``milliseconds`` per text.
Both are CPU time.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from importlib import import_module
from typing import Any

Read = Callable[[str], Any]


def pypinyin() -> Read:
    """pypinyin with its own dictionaries and segmentation."""
    library = import_module("pypinyin")
    return lambda text: library.lazy_pinyin(text, style=library.Style.TONE3, neutral_tone_with_five=True)


def jieba() -> Read:
    """pypinyin's dictionaries, with jieba's words."""
    words, read = import_module("jieba"), pypinyin()
    words.setLogLevel(60)
    words.initialize()
    return lambda text: [syllable for word in words.cut(text) for syllable in read(word)]


def phrases(name: str) -> Callable[[], Read]:
    """Return a peer: pypinyin with one of pypinyin-dict's sets of phrases."""

    def load() -> Read:
        import_module(f"pypinyin_dict.phrase_pinyin_data.{name}").load()
        return pypinyin()

    return load


def g2pm() -> Read:
    """g2pM's network, a bidirectional LSTM."""
    model = import_module("g2pM").G2pM()
    return lambda text: [syllable.replace("u:", "v") for syllable in model(text, tone=True, char_split=True)]


def wetext() -> Read:
    """WeTextProcessing's grammars, by its runtime."""
    normalise: Read = import_module("wetext").Normalizer(lang="zh", operator="tn").normalize
    return normalise


def cn2an() -> Read:
    """Numerals, dates and fractions by cn2an's expressions."""
    library = import_module("cn2an")
    return lambda text: library.transform(text, "an2cn")


POLYPHONES = {
    "pypinyin": pypinyin,
    "pypinyin, jieba's words": jieba,
    "pypinyin, CC-CEDICT": phrases("cc_cedict"),
    "pypinyin, large phrases": phrases("large_pinyin"),
    "g2pM": g2pm,
}
NUMBERS = {"wetext": wetext, "cn2an": cn2an}


def main() -> None:
    """Read the texts and write their readings."""
    texts = json.load(sys.stdin)
    begin = time.process_time()
    read = (POLYPHONES | NUMBERS)[sys.argv[1]]()
    read("你好")
    loaded = time.process_time()
    readings = []
    for text in texts:
        try:
            readings.append(read(text))
        except (ValueError, KeyError, IndexError):  # an answer that is wrong, not a reason to stop
            readings.append(None)
    seconds = time.process_time() - loaded
    result = {"readings": readings, "load_seconds": loaded - begin, "milliseconds": 1000 * seconds / len(texts)}
    json.dump(result, sys.stdout)


if __name__ == "__main__":
    main()
