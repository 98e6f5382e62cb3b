"""Text as it is written to text as it is spoken.

First, characters are folded (width, accents, traditional to simplified). Then numbers are spelt out
(:mod:`tts_server.text.rules`). Then the remaining signs are spelt out or become pauses.
"""

import re
import unicodedata
from collections.abc import Collection
from functools import lru_cache
from typing import Any

from tts_server.text.numbers import spell_cardinal
from tts_server.text.rules import RULES
from tts_server.text.symbols import BEFORE_NFKC, DASHES, GREEK, SAME_READING, SIGNS, SQUARED_UNITS, SUPERSCRIPTS
from tts_server.text.trace import Draft, RuleUse

_VULGAR_FRACTION = re.compile(r"(?<!\d)(\d*)[ \u2009]?([¼-¾⅐-⅞])")
_SUPERSCRIPT = re.compile(rf"(?<=[\w)\]]) ?([{''.join(SUPERSCRIPTS)}]+)")
# 5m² is now 5m平方. Turn it into 5平方m, which the unit rule can read.
_SQUARE_CUBIC = re.compile(r"(?<![A-Za-z])([kcdm]?m)(平方|立方)")
_SIGN = re.compile(rf" ?([{re.escape(''.join(SIGNS | GREEK))}]) ?")
_SPACES = re.compile(r"[^\S\n]+")
_OUTER_SPACE = re.compile(r"\A\s+|\s+\Z")


def normalise(text: str, *, without: Collection[str] = ()) -> str:
    """Return ``text`` in simplified Chinese, Latin letters and half-width punctuation, ready to be pronounced.

    Control characters, and symbols without a reading, are removed. The end of a line ends a sentence. ``without`` has
    the names of rules to leave out.
    """
    return normalise_with_trace(text, without=without)[0]


def normalise_with_trace(text: str, *, without: Collection[str] = ()) -> tuple[str, list[RuleUse]]:
    """Normalise like :func:`normalise`, and also tell which rule made which part, in the order of the text.

    Sources are as written except for width, accents and variants of characters. A name is one of a rule in
    :data:`tts_server.text.rules.RULES`, or ``sign`` for signs and Greek letters.
    """
    draft = Draft(_fold(text))
    for rule in RULES:
        if rule.name not in without:
            draft.rewrite(rule.pattern, rule.say, rule.name)
    if "sign" not in without:
        draft.rewrite(_SIGN, lambda sign: (SIGNS | GREEK)[sign[1]], "sign")
    draft.rewrite(_SPACES, lambda _: " ", None)
    draft.rewrite(_OUTER_SPACE, lambda _: "", None)
    return draft.text, draft.uses()


def _fold(text: str) -> str:
    """Fold the variants of characters: width, accents, fractions, superscripts, traditional characters."""
    text = _VULGAR_FRACTION.sub(_say_vulgar_fraction, text.translate(SQUARED_UNITS))
    text = _SUPERSCRIPT.sub(_say_superscript, text)
    text = unicodedata.normalize("NFKC", text.translate(BEFORE_NFKC)).translate(DASHES)
    text = "".join(map(_plain, text)).translate(SAME_READING)
    return _SQUARE_CUBIC.sub(r"\2\1", to_simplified(text))


def to_simplified(text: str) -> str:
    """Convert traditional characters to simplified ones, by phrase. The dictionaries of readings are simplified."""
    if text.isascii():
        return text
    simplified: str = _converter().convert(text)
    return simplified


@lru_cache(maxsize=1)
def _converter() -> Any:
    import opencc  # noqa: PLC0415 - a native library, which `tts-server --help` does not need

    return opencc.OpenCC("t2s")


def _plain(char: str) -> str:
    """Fold one character: remove accents, control characters and joiners."""
    if char in "\n\r\u2028\u2029":
        return "\n"
    category = unicodedata.category(char)
    if category == "Zs" or char == "\t":
        return " "
    if category[0] == "C" or category == "Mn":
        return ""
    if category[0] == "L" and not char.isascii():
        base = unicodedata.normalize("NFD", char)[0]
        return base if base.isascii() or base in GREEK else char
    return char


def _say_vulgar_fraction(match: re.Match[str]) -> str:
    above, _, below = unicodedata.normalize("NFKC", match[2]).partition("⁄")
    fraction = f"{spell_cardinal(below)}分之{spell_cardinal(above)}" if below else match[2]
    return f"{match[1]}又{fraction}" if match[1] else fraction


def _say_superscript(match: re.Match[str]) -> str:
    digits = "".join(SUPERSCRIPTS[char] for char in match[1])
    if digits in {"2", "3"}:
        power = "平方" if digits == "2" else "立方"
        return f"的{power}" if match.string[: match.start()].rstrip(" ")[-1:].isdigit() else power
    number = digits.replace("-", "")
    if not number:
        return digits
    return ("的负" if digits.startswith("-") else "的") + spell_cardinal(number) + "次方"
