"""Rules that only tidy how a number or an abbreviation is written, so that later rules see one form of it."""

import re

from tts_server.text.numbers import spell_cardinal
from tts_server.text.rules.rule import NOT_BEFORE_DIGIT, rule
from tts_server.text.units import COUNTED

_ROMAN = {"": 0, "I": 1, "II": 2, "III": 3, "IV": 4, "V": 5, "VI": 6, "VII": 7, "VIII": 8, "IX": 9}


@rule(r"(?<![\d.,])\d{1,3}(?:,\d{3})+(?!\d)", {"1,234.5": "一千二百三十四点五"})
def thousands_commas(match: re.Match[str]) -> str:
    """Commas between groups of three digits: ``12,345,678`` is ``12345678``."""
    return match[0].replace(",", "")


@rule(
    rf"(?<![\d.,:-])(?<!\d )[1-9]\d{{0,2}}(?: \d{{3}})+{NOT_BEFORE_DIGIT}(?! \d)(?P<counted>{COUNTED})?",
    {"10 000": "一万", "12 500元": "一万二千五百元"},
)
def thousands_spaces(match: re.Match[str]) -> str | None:
    """Spaces between groups of three digits, if a group is 000 or the number counts something."""
    return match[0].replace(" ", "") if " 000" in match[0] or match["counted"] else None


@rule(r"(?<![A-Za-z.])[A-Za-z](?:\.[A-Za-z]){1,8}\.(?![A-Za-z\d])", {"U.S.A.": "USA"})
def dotted_abbreviation(match: re.Match[str]) -> str:
    """An abbreviation with dots, such as U.S.A."""
    return match[0].replace(".", "")


@rule(
    r"(?:(?<=[\d%年月日号时点分CF°一二三四五六日天元])|(?<=[AaPp][Mm]))[—―]{1,2}(?=[-\d¥$]|[周星礼][一二三四五六日天期拜]|[上下]午|早上|晚上|凌晨|中午|次日|零下)",
    {"5—10天": "五到十天", "周一—周五": "周一到周五"},
)
def range_dash(_: re.Match[str]) -> str:
    """A Chinese dash between numbers, dates or weekdays is the dash of a range."""
    return "-"


@rule(
    r"(?<![A-Za-z])(?P<tens>X{0,3})(?P<ones>VIII|VII|III|VI|IV|IX|II|I|V|)"
    r"(?<=[IVX])(?=[章节卷期级型册]|部分|(?<=第[IVX])[届次代集]|(?<=第[IVX]{2})[届次代集]|(?<=第[IVX]{3})[届次代集]"
    r"|(?<=第[IVX]{4})[届次代集])",
    {"第II章": "第二章", "III期": "三期", "第XII届": "第十二届"},
)
def roman_numeral(match: re.Match[str]) -> str:
    """Roman numerals of chapters, volumes, stages, types, levels and sessions."""
    return spell_cardinal(str(10 * len(match["tens"]) + _ROMAN[match["ones"]]))
