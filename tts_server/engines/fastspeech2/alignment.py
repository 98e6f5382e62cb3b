"""From the durations of the acoustic model to the times of words and phonemes.

The model gives a length in frames to each of its symbols, which include the breaks between syllables. A break without a
pause (``#0``) is where one syllable turns into the next: it belongs to the syllable before it, so that the words of a
phrase follow each other without gaps. ``#3``, ``sil`` and ``eos`` are pauses. Before a pause, the voice rings on for up
to 0.1 s after the last frame of its syllable.

Everything that changes the speed after the model is linear: the frames are interpolated, and WSOLA takes each window
from within 8 ms of its place. So a boundary of frames lies in the audio where it lies in the mel.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from tts_server.engines.fastspeech2.acoustic import Durations
from tts_server.engines.fastspeech2.phonemes import Syllable
from tts_server.timing.alignment import Alignment, Phoneme, Word

_TRANSITION = "#0"
_NO_INITIAL = "^"


class Frames(NamedTuple):
    """The symbols that the acoustic model was given, from ``sil`` to ``eos``, and the number of frames of each."""

    phonemes: Sequence[str]
    durations: Durations


def align(
    text: str, words: Iterable[str], syllables: Sequence[Syllable | None], frames: Frames, samples: int
) -> Alignment:
    """Return when each word of a sentence sounds, whose audio has ``samples`` samples.

    ``words`` are all pieces of the text; ``frames`` are those of its ``syllables``.
    """
    ends = np.cumsum(frames.durations)
    bounds = [0, *(round(each) for each in (ends * (samples / max(1, ends[-1]))).tolist())]
    said = list(_said(text, syllables, frames.phonemes, bounds))
    timed = []
    for word, at in _words(text, words, {place for place, _ in said}):
        sounds = tuple(sound for place, each in said if at <= place < at + len(word) for sound in each)
        timed.append(Word(word, at, sounds))
    return Alignment(text, samples, tuple(timed))


def _said(
    text: str, syllables: Iterable[Syllable | None], phonemes: Sequence[str], bounds: Sequence[int]
) -> Iterator[tuple[int, list[Phoneme]]]:
    """Yield the place in the text and the phonemes of each syllable."""
    place = end = 0
    index = 1  # after `sil`
    for syllable in syllables:
        if syllable is None:
            index += 1
            continue
        index += phonemes[index] == _TRANSITION
        if syllable.text and (found := text.find(syllable.text, end)) >= 0:
            place, end = found, found + len(syllable.text)
        count = 3 if syllable.erhua else 2
        sounds = [Phoneme(phonemes[each], bounds[each], bounds[each + 1]) for each in range(index, index + count)]
        index += count
        if sounds[0].symbol == _NO_INITIAL:
            sounds[1] = sounds[1]._replace(start=sounds[0].start)
            del sounds[0]
        if phonemes[index] == _TRANSITION:
            sounds[-1] = sounds[-1]._replace(end=bounds[index + 1])
        yield place, sounds


def _words(text: str, pieces: Iterable[str], spoken: set[int]) -> Iterator[tuple[str, int]]:
    """Yield the words and their places: each piece with a syllable, and what it is written with.

    A letter of a word that is spelt out, and an r that only modifies a syllable, have no syllable of their own.
    """
    start = end = 0
    for piece in pieces:
        at = text.index(piece, end)
        if any(place in spoken for place in range(at, at + len(piece))):
            if end > start:
                yield text[start:end], start
            start, end = at, at + len(piece)
        elif end > start and at == end and piece.isalnum():
            end += len(piece)
        else:
            if end > start:
                yield text[start:end], start
            start = end = at + len(piece)
    if end > start:
        yield text[start:end], start
