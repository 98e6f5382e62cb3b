"""The times of an answer as lists of JSON objects, in the form of OpenAI's transcriptions. Times are in seconds."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Literal

from tts_server.timing.alignment import TimedSentence, milliseconds
from tts_server.timing.visemes import visemes

Granularity = Literal["segment", "word", "phoneme", "viseme"]
Entry = dict[str, object]


def report(
    sentences: Iterable[tuple[int, TimedSentence]], granularities: Collection[Granularity], sample_rate: int
) -> dict[str, list[Entry]]:
    """Return one list for each granularity, for sentences with their numbers in the answer.

    A segment is a sentence as it is spoken, and its id is the sentence's number.
    """
    numbered = list(sentences)
    return {
        f"{name}s": [entry for number, each in numbered for entry in entries(number, each, sample_rate)]
        for name, entries in _ENTRIES.items()
        if name in granularities
    }


def _segments(number: int, sentence: TimedSentence, sample_rate: int) -> Iterator[Entry]:
    words = sentence.alignment.words
    if words:
        bounds = _bounds(sentence, words[0].start, words[-1].end, sample_rate)
        yield {"id": number, **bounds, "text": sentence.alignment.text}


def _words(number: int, sentence: TimedSentence, sample_rate: int) -> Iterator[Entry]:
    for word in sentence.alignment.words:
        yield {"word": word.text, **_bounds(sentence, word.start, word.end, sample_rate), "segment": number}


def _phonemes(_: int, sentence: TimedSentence, sample_rate: int) -> Iterator[Entry]:
    for word in sentence.alignment.words:
        for sound in word.phonemes:
            yield {"phoneme": sound.symbol, **_bounds(sentence, sound.start, sound.end, sample_rate)}


def _visemes(_: int, sentence: TimedSentence, sample_rate: int) -> Iterator[Entry]:
    for viseme, start in visemes(sentence.alignment, sample_rate):
        yield {"viseme_id": viseme, "start": seconds(sentence.start + start, sample_rate)}


def _bounds(sentence: TimedSentence, start: int, end: int, sample_rate: int) -> Entry:
    return {
        "start": seconds(sentence.start + start, sample_rate),
        "end": seconds(sentence.start + end, sample_rate),
    }


def seconds(samples: int, sample_rate: int) -> float:
    """Return the time of a sample, to a millisecond."""
    return milliseconds(samples, sample_rate) / 1000


_ENTRIES: Mapping[Granularity, Callable[[int, TimedSentence, int], Iterator[Entry]]] = {
    "segment": _segments,
    "word": _words,
    "phoneme": _phonemes,
    "viseme": _visemes,
}
