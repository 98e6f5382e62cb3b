"""Sums of money, discounts and percentages."""

import re

from tts_server.text.numbers import spell_amount, spell_decimal, spell_digits
from tts_server.text.rules.rule import HANZI, NOT_AFTER_DIGIT, NUMBER, any_of, rule
from tts_server.text.units import CURRENCY_SYMBOLS

_SYMBOLS = any_of(CURRENCY_SYMBOLS)
_SCALE = "(?P<scale>[十百千]?[万亿])?"


def _say_sum(match: re.Match[str]) -> str:
    number = match["number"]
    if "." in number:
        number = number.rstrip("0").rstrip(".")
    return f"{spell_amount(number)}{match['scale'] or ''}{CURRENCY_SYMBOLS[match['symbol']]}"


@rule(
    rf"(?<![A-Za-z])(?P<symbol>{_SYMBOLS}) ?(?P<number>\d+(?:\.\d+)?){_SCALE}元?",
    {"¥12.50": "十二点五元", "$3万": "三万美元", "RMB100": "一百元"},
)
def sum_after_symbol(match: re.Match[str]) -> str:
    """A sum after the sign or the code of its currency."""
    return _say_sum(match)


@rule(rf"(?P<number>{NUMBER}){_SCALE} ?(?P<symbol>{_SYMBOLS})(?![A-Za-z\d])", {"100$": "一百美元"})
def sum_before_symbol(match: re.Match[str]) -> str:
    """A sum before the sign or the code of its currency."""
    return _say_sum(match)


@rule(NOT_AFTER_DIGIT + r"(?P<tenths>\d)(?P<hundredths>\d)(?=折(?!线|叠|腾|回|返))", {"打85折": "打八五折"})
def discount(match: re.Match[str]) -> str:
    """What is left of a price: 85 per cent are 八五折."""
    return spell_digits(match[0]) if match["hundredths"] != "0" else spell_digits(match["tenths"])


@rule(
    rf"(?P<low>{NUMBER})%? ?[-~] ?(?P<high>{NUMBER})%",
    {"10%-20%": "百分之十到百分之二十"},
)
def percent_range(match: re.Match[str]) -> str:
    """From one percentage to another."""
    return f"百分之{spell_decimal(match['low'])}到百分之{spell_decimal(match['high'])}"


@rule(
    rf"(?P<sign>(?<![\w.)%-])-|(?<=[{HANZI}])-)?(?P<number>{NUMBER}) ?(?P<of>[%‰‱])",
    {"30%": "百分之三十", "-3%": "负百分之三", "5‰": "千分之五", "起码50%的人": "起码百分之五十的人"},
)
def percentage(match: re.Match[str]) -> str:
    """Parts of a hundred, of a thousand, of ten thousand."""
    of = {"%": "百分之", "‰": "千分之", "‱": "万分之"}[match["of"]]
    return ("负" if match["sign"] else "") + of + spell_decimal(match["number"])
