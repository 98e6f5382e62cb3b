"""Whether all sentences of a text are in its audio once, as a recogniser hears it."""

from __future__ import annotations

import json
import random
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path

from pypinyin import lazy_pinyin

from bench.figures import Figure
from bench.jobs import recogniser
from bench.jobs.booktext import letters
from bench.jobs.pipeline import BenchError
from tts_server.text.numbers import spell_cardinal

FOLDER = Path("build/bench/recogniser")
_SECONDS = 900.0
# Of the syllables of a sentence. A recogniser of this size mishears one in twenty, and rarely many in one sentence.
_SHARE = 0.5


@dataclass(frozen=True)
class Part:
    """Two segments in succession, with a seam in the middle: times in seconds, and its sentences."""

    begin: float
    end: float
    sentences: Sequence[str]


def parts(texts: Sequence[str], ends: Sequence[float], count: int) -> list[Part]:
    """Choose parts of a file at random, but the same in each run.

    ``texts`` are those of its segments, and ``ends`` the times at which they end.
    """
    chosen = random.Random(count)  # noqa: S311 - not a secret
    found = []
    for first in sorted(chosen.sample(range(len(texts) - 1), min(count, len(texts) - 1))):
        said = re.split(r"[。\n]", texts[first] + "\n" + texts[first + 1])
        begin = ends[first - 1] if first else 0.0
        found.append(Part(begin, ends[first + 1], [each for each in said if letters(each)]))
    return found


def recognised(audio: Path, chosen: Sequence[Part]) -> list[Figure]:
    """Listen to parts of a file. Raises BenchError if there is no recogniser."""
    command = [str(FOLDER / "bin/python"), recogniser.__file__, str(FOLDER / "model"), str(audio)]
    asked = json.dumps([(each.begin, each.end) for each in chosen])
    try:
        done = subprocess.run(command, input=asked, stdout=subprocess.PIPE, text=True, check=True, timeout=_SECONDS)
    except (OSError, subprocess.SubprocessError) as error:
        raise BenchError(f"the recogniser failed: {error}. `make bench-jobs` installs it") from error
    lost = doubled = wrong = syllables = 0
    for part, heard in zip(chosen, json.loads(done.stdout), strict=True):
        result = compared(part.sentences, heard)
        lost, doubled, wrong = lost + result.lost, doubled + result.doubled, wrong + result.wrong
        syllables += result.syllables
    return [
        Figure("recogniser: sentences listened to", sum(len(each.sentences) for each in chosen), ""),
        Figure("recogniser: sentences not heard", lost, "", 0),
        Figure("recogniser: sentences heard twice", doubled, "", 0),
        Figure("recogniser: syllables not heard as written, without tones", wrong / max(syllables, 1), ""),
    ]


@dataclass(frozen=True)
class Heard:
    """How many sentences are lost or doubled, and how many syllables of the text are not what was heard."""

    lost: int
    doubled: int
    wrong: int
    syllables: int


def compared(sentences: Sequence[str], heard: str) -> Heard:
    """Compare sentences with what was heard, by syllables without tones."""
    said: list[str] = []
    begins = []
    for sentence in sentences:
        begins.append(len(said))
        said += _syllables(sentence)
    shortest = min(end - begin for begin, end in zip(begins, [*begins[1:], len(said)], strict=True))
    matcher = SequenceMatcher(None, said, _syllables(heard), autojunk=False)
    right = [False] * len(said)
    more = 0
    for kind, first, last, begin, end in matcher.get_opcodes():
        if kind == "equal":
            right[first:last] = [True] * (last - first)
        elif (end - begin) - (last - first) > max(_SHARE * shortest, 5):
            more += 1
    lost = sum(
        sum(right[begin:end]) < _SHARE * (end - begin)
        for begin, end in zip(begins, [*begins[1:], len(said)], strict=True)
    )
    return Heard(lost, more, right.count(False), len(said))


def _syllables(text: str) -> list[str]:
    spelt = re.sub(r"\d+", lambda found: spell_cardinal(found[0]), text)
    return list(lazy_pinyin("".join(each for each in letters(spelt) if not each.isascii())))
