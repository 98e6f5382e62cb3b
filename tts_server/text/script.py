"""A text with directions: what to say, how each part of it is spoken and read, and where to be silent."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from tts_server.text.delivery import DEFAULT_DELIVERY, Delivery

TEXT = "text"
"""The origin of what stands in the request as plain text."""
MAX_READING_SYLLABLES = 16
"""The longest reading. It is never split, so it bounds the sentences of an engine too."""
_SYLLABLE = re.compile(r"[a-z]+[1-5]")
_ERHUA = "r"


class ScriptError(ValueError):
    """The markup or the lexicon of a request is wrong.

    The message says what, where, and what to write instead. ``param`` names the field of the request, if it is not the
    one that holds the text. ``code`` is for programs.
    """

    def __init__(self, message: str, *, param: str = "", code: str = "invalid_value") -> None:
        super().__init__(message)
        self.param = param
        self.code = code


@dataclass(frozen=True, slots=True)
class Run:
    """A part of a text that is spoken in one way."""

    text: str
    delivery: Delivery = DEFAULT_DELIVERY
    pinyin: tuple[str, ...] = ()
    """The syllables to read it as (``hang2``). If empty, its characters decide."""
    origin: str = TEXT
    """Where the text or its reading comes from: ``text``, or what replaced or pinned it."""


@dataclass(frozen=True, slots=True)
class Break:
    """Silence of this length, instead of the pause that would be here."""

    seconds: float


Script = tuple[Run | Break, ...]
"""The input of an engine."""


def plain_script(text: str, delivery: Delivery = DEFAULT_DELIVERY) -> Script:
    """Return the script of a text without directions."""
    return (Run(text, delivery),)


def deliveries(script: Script) -> set[Delivery]:
    """Return the deliveries that occur in the script."""
    return {each.delivery for each in script if isinstance(each, Run)}


def parse_pinyin(written: str) -> tuple[str, ...]:
    """Return the syllables of a reading such as ``hang2 zhang3``.

    The tone is a digit, 5 for the neutral one; ü is written as v. Raises ValueError that says what is wrong.
    """
    syllables = tuple(written.lower().replace("ü", "v").split())
    if not syllables:
        raise ValueError("The reading is empty. Write pinyin with tone digits, such as 'hang2 zhang3'.")
    if len(syllables) > MAX_READING_SYLLABLES:
        raise ValueError(f"The reading has {len(syllables)} syllables, but the limit is {MAX_READING_SYLLABLES}.")
    for each in syllables:
        if not _SYLLABLE.fullmatch(each):
            raise ValueError(
                f"{each!r} is not a syllable of pinyin. Write letters and the tone as a digit from 1 to 5, with spaces "
                "between syllables, such as 'hang2 zhang3'."
            )
    return syllables


def is_pinyin(written: str) -> bool:
    """Tell whether this is meant as pinyin: each word is letters and one digit, as in ``hang2 zhang3``."""
    return bool(re.fullmatch(r"(?:[A-Za-züÜ]{1,7}[0-9](?:\s+|$))+", written.strip()))


def split_erhua(syllable: str) -> tuple[str, bool]:
    """Return the syllable without the final r of erhua, and whether it had one: ``wanr2`` is ``wan2`` with it."""
    base, tone = syllable[:-1], syllable[-1]
    erhua = base.endswith(_ERHUA) and base != "er"
    return (base[:-1] if erhua else base) + tone, erhua


def unknown_syllable(pinyin: Iterable[str], known: Iterable[str]) -> str | None:
    """Return the first syllable that is not among ``known`` ones, which have no tone, or None."""
    return next((each for each in pinyin if split_erhua(each)[0][:-1] not in known), None)
