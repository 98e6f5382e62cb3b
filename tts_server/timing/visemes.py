"""Mouth shapes for Mandarin: Azure's viseme ids, which many avatars and animation tools know.

The ids are those of "Map phonemes to visemes",
https://learn.microsoft.com/azure/ai-services/speech-service/how-to-speech-synthesis-viseme. Initials and finals are
mapped to them by their sounds in the IPA: W.-S. Lee, E. Zee, "Standard Chinese (Beijing)", Journal of the International
Phonetic Association 33(1), 2003. A final that glides from one sound to another is several shapes of equal length.
"""

from collections.abc import Iterator
from itertools import pairwise

from tts_server.timing.alignment import Alignment, Phoneme

SILENCE = 0
# The mouth takes the shape of a consonant before the consonant sounds. Measured on the Baker voice: the sound before it
# fades 30 to 50 ms earlier, as the lips or the tongue close.
_LEAD_SECONDS = 0.04

_A, _E, _EH, _ER, _I, _U, _O, _AO, _AI, _N, _NG = 2, 1, 4, 5, 6, 7, 8, 9, 11, 19, 20
_SHAPES: dict[str, tuple[int, ...]] = {
    **dict.fromkeys(("b", "p", "m"), (21,)),
    "f": (18,),
    **dict.fromkeys(("d", "t", "n"), (19,)),
    "l": (14,),
    **dict.fromkeys(("g", "k"), (20,)),
    "h": (12,),
    **dict.fromkeys(("j", "q", "x", "zh", "ch", "sh"), (16,)),
    "r": (13,),
    **dict.fromkeys(("z", "c", "s"), (15,)),
    "a": (_A,),
    "ai": (_AI,),
    "an": (_A, _N),
    "ang": (_A, _NG),
    "ao": (_AO,),
    "e": (_E,),
    "ei": (_EH, _I),
    "en": (_E, _N),
    "eng": (_E, _NG),
    "er": (_ER,),
    "i": (_I,),
    "ii": (15,),  # the vowel of zi, ci and si: the tongue stays where it is
    "iii": (16,),  # the vowel of zhi, chi, shi and ri
    "ia": (_I, _A),
    "ian": (_I, _EH, _N),
    "iang": (_I, _A, _NG),
    "iao": (_I, _AO),
    "ie": (_I, _EH),
    "in": (_I, _N),
    "ing": (_I, _NG),
    "io": (_I, _O),
    "iong": (_I, _U, _NG),
    "iou": (_I, _O, _U),
    "o": (_U, _O),
    "ong": (_U, _NG),
    "ou": (_O, _U),
    "u": (_U,),
    "ua": (_U, _A),
    "uai": (_U, _AI),
    "uan": (_U, _A, _N),
    "uang": (_U, _A, _NG),
    "uei": (_U, _EH, _I),
    "uen": (_U, _E, _N),
    "ueng": (_U, _E, _NG),
    "uo": (_U, _O),
    "v": (_U,),  # ü: the lips are those of u
    "van": (_U, _EH, _N),
    "ve": (_U, _EH),
    "vn": (_U, _N),
}


def shapes(symbol: str) -> tuple[int, ...]:
    """Return the viseme ids of an initial, or of a final with its tone. Empty for another symbol."""
    return _SHAPES.get(symbol.rstrip("12345"), ())


def visemes(alignment: Alignment, sample_rate: int) -> list[tuple[int, int]]:
    """Return the mouth shapes of a sentence: the viseme id, and the sample of the sentence with which it begins.

    Each lasts until the next one. The first one is silence and begins with the sentence.
    """
    result: list[tuple[int, int]] = []
    for shape, start in _timed_shapes(alignment, round(_LEAD_SECONDS * sample_rate)):
        if result and start <= result[-1][1]:
            result.pop()  # it has no length
        if not result or result[-1][0] != shape:
            result.append((shape, start))
    return result


def _timed_shapes(alignment: Alignment, lead: int) -> Iterator[tuple[int, int]]:
    yield SILENCE, 0
    sounds = [sound for word in alignment.words for sound in word.phonemes if shapes(sound.symbol)]
    starts = [_start(before, sound, lead) for before, sound in pairwise([Phoneme("", 0, 0), *sounds])]
    for index, sound in enumerate(sounds):
        paused = index + 1 == len(sounds) or sounds[index + 1].start > sound.end
        end = sound.end if paused else starts[index + 1]
        parts = shapes(sound.symbol)
        for number, shape in enumerate(parts):
            yield shape, starts[index] + max(0, end - starts[index]) * number // len(parts)
        if paused:
            yield SILENCE, sound.end


def _start(before: Phoneme, sound: Phoneme, lead: int) -> int:
    """Return when the mouth takes the shape: for a consonant earlier, but not in the first half of what is before."""
    if sound.symbol[-1].isdigit():
        return sound.start
    earliest = before.end if sound.start > before.end else (before.start + before.end) // 2
    return max(earliest, sound.start - lead)
