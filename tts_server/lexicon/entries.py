"""The entries of a lexicon: a word, and either its reading in pinyin or the text to say instead."""

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from tts_server.text.normalise import to_simplified
from tts_server.text.script import ScriptError, is_pinyin, parse_pinyin, unknown_syllable

MAX_REQUEST_ENTRIES = 100
"""The most entries of the lexicon of one request."""
MAX_WORD_CHARACTERS = 32
MAX_REPLACEMENT_CHARACTERS = 100


class LexiconError(ScriptError):
    """An entry is wrong. The message names it, and says what to write instead."""

    def __init__(self, message: str) -> None:
        super().__init__(message, param="lexicon", code="invalid_lexicon")


@dataclass(frozen=True, slots=True)
class Entry:
    """How to say a word: by its reading, if ``pinyin`` is not empty, otherwise as if ``text`` were written."""

    text: str
    pinyin: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Lexicon:
    """Words and how to say them. ``origin`` is that of the runs that it makes."""

    entries: Mapping[str, Entry] = field(default_factory=lambda: MappingProxyType({}))
    origin: str = ""

    words: Mapping[str, tuple[str, ...]] = field(init=False, repr=False)
    """The words by their first character."""
    digest: str = field(init=False)
    """A digest of the entries, the same for the same entries in any order. Empty without entries."""

    def __post_init__(self) -> None:
        words: dict[str, list[str]] = {}
        for word in self.entries:
            words.setdefault(word[0], []).append(word)
        object.__setattr__(self, "words", {first: tuple(each) for first, each in words.items()})
        object.__setattr__(self, "digest", _digest(self.entries))


def read_lexicon(written: Mapping[str, str], *, origin: str, syllables: Collection[str], max_entries: int) -> Lexicon:
    """Return the lexicon for words and what is written for each: pinyin, or the text to say instead.

    ``syllables`` are those that the engine lets a text pin. Raises LexiconError.
    """
    if len(written) > max_entries:
        raise LexiconError(f"The lexicon has {len(written)} entries, but the limit is {max_entries}.")
    if any("\ud800" <= char <= "\udfff" for each in written.items() for char in "".join(each)):
        raise LexiconError("The lexicon is not valid Unicode: it contains an unpaired surrogate.")
    return Lexicon(
        MappingProxyType({_word(word): _entry(word, reading, syllables) for word, reading in written.items()}), origin
    )


def _digest(entries: Mapping[str, Entry]) -> str:
    if not entries:
        return ""
    inputs = sorted((word, entry.text, entry.pinyin) for word, entry in entries.items())
    return hashlib.sha256(json.dumps(inputs).encode()).hexdigest()


def _word(written: str) -> str:
    """Return a word as it is looked up. Texts are looked up in simplified characters."""
    word = to_simplified(written.strip())
    if not word:
        raise LexiconError("The lexicon has an entry without a word. Remove it.")
    if len(word) > MAX_WORD_CHARACTERS:
        raise LexiconError(f"{_shown(word)} has {len(word)} characters, but a word has at most {MAX_WORD_CHARACTERS}.")
    return word


def _entry(word: str, written: str, syllables: Collection[str]) -> Entry:
    text = written.strip()
    if not text:
        raise LexiconError(f"{_shown(word)} has no reading. Write pinyin such as 'hang2 zhang3', or text to say.")
    if len(text) > MAX_REPLACEMENT_CHARACTERS:
        limit = MAX_REPLACEMENT_CHARACTERS
        raise LexiconError(f"What to say for {_shown(word)} has {len(text)} characters, but the limit is {limit}.")
    if not is_pinyin(text):
        return Entry(text)
    if not syllables:
        raise LexiconError(
            f"{_shown(word)} has the reading {text!r}, but this server's engine decides readings by itself. "
            "Write characters of the same sound instead."
        )
    try:
        pinyin = parse_pinyin(text)
    except ValueError as error:
        raise LexiconError(f"{_shown(word)}: {error}") from None
    unknown = unknown_syllable(pinyin, syllables)
    if unknown:
        raise LexiconError(f"{_shown(word)}: the voice has no syllable {unknown!r}. Write ü as v, as in nv3.")
    return Entry(word, pinyin)


def _shown(word: str) -> str:
    return repr(word if len(word) <= MAX_WORD_CHARACTERS else word[:MAX_WORD_CHARACTERS] + "…")


NO_ENTRIES = Lexicon()
