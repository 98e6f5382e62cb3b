"""What a rule is, and the patterns that several rules share."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tts_server.text.units import COUNTED, UNITS

Say = Callable[[re.Match[str]], str | None]


@dataclass(frozen=True, slots=True)
class Rule:
    """How one kind of written expression is spoken.

    ``name`` is what traces show and what switches the rule off. ``say`` returns the spoken form of a match, or None if
    the match is of another kind after all. ``examples`` maps text to what all rules together make of it.
    """

    name: str
    description: str
    pattern: re.Pattern[str]
    say: Say
    examples: Mapping[str, str]


def rule(pattern: str, examples: Mapping[str, str], *, flags: int = 0) -> Callable[[Say], Rule]:
    """Make a function that spells out a match the rule of its name. Its docstring becomes the description.

    A pattern must not have nested repetition, and must fail quickly within a long number: the time has to be linear in
    the length of the text.
    """

    def make(say: Say) -> Rule:
        name = getattr(say, "__name__", "").replace("_", "-")
        return Rule(name, (say.__doc__ or "").strip(), re.compile(pattern, flags), say, examples)

    return make


def any_of(words: Mapping[str, str]) -> str:
    """Return a pattern that matches any key, the longest first."""
    return "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))


NOT_AFTER_DIGIT = r"(?<![\d.])"
# Match from the first digit only. A rule that is tried at every digit of a long number and fails takes quadratic time.
NUMBER = NOT_AFTER_DIGIT + r"\d+(?:\.\d+)?"
NOT_BEFORE_DIGIT = r"(?!\d|\.\d)"
UNIT_NAMES = any_of(UNITS)
SPOKEN_DIGIT = "零一二两三四五六七八九十"
HANZI = "\u4e00-\u9fff"

# After a number that counts or measures, which is therefore no code.
_COUNTS = rf" ?(?:{UNIT_NAMES})(?![A-Za-z])|[%‰‱°′″]|[多余几万亿千百]|以[上下内外]|左右"
NOT_COUNTED = rf"(?!\d|\.\d|{_COUNTS}|(?:{COUNTED})|[-~到至]\d+(?:{COUNTED}))"
# The same where the label leaves no doubt: 尾号8888本次消费 does not count books.
NOT_CLEARLY_COUNTED = r"(?!\d|\.\d|[%‰°]|[位个张条元万亿]|以[上下内外]|[-~到至]\d+[位个])"
