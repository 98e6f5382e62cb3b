"""Characters whose reading depends on what stands around them, in words that no dictionary can list."""

import re
from functools import cache

from tts_server.engines.fastspeech2.readings.dictionary import lines

_LONE = "~"


@cache
def _contexts() -> dict[str, tuple[tuple[str, str, bool], ...]]:
    found: dict[str, list[tuple[str, str, bool]]] = {}
    for line in lines("contexts.txt"):
        char, reading, pattern = line.split(maxsplit=2)
        asked = pattern != "_" and not pattern.startswith(_LONE)
        found.setdefault(char, []).append((reading, pattern.removeprefix(_LONE).replace("_", f"({char})"), asked))
    return {char: tuple(entries) for char, entries in found.items()}


@cache
def _patterns(char: str) -> tuple[tuple[str, re.Pattern[str], bool], ...]:
    return tuple((reading, re.compile(pattern), asked) for reading, pattern, asked in _contexts()[char])


def by_context(run: str) -> dict[int, tuple[str, bool]]:
    """Return the readings that the surroundings decide, by the place of the character.

    The second value tells whether the surroundings were asked for. A line without any, or whose pattern begins with
    ``~``, is only for lone characters.
    """
    found: dict[int, tuple[str, bool]] = {}
    for char in set(run) & _contexts().keys():
        for reading, pattern, asked in _patterns(char):
            match = pattern.search(run)
            while match:
                found.setdefault(match.start(match.lastindex or 0), (reading, asked))
                match = pattern.search(run, match.start() + 1)
    return found
