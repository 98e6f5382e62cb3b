"""Fractions, powers, operators and comparisons."""

import re

from tts_server.text.numbers import spell_cardinal, spell_decimal
from tts_server.text.rules.rule import NOT_AFTER_DIGIT, NUMBER, rule


@rule(
    NOT_AFTER_DIGIT + r"(?:(?P<whole>\d{1,4}) )?(?P<above>\d+)/(?P<below>\d+)(?![\d/])",
    {"1/3": "三分之一", "1 1/2": "一又二分之一"},
)
def fraction(match: re.Match[str]) -> str:
    """A fraction, perhaps with a whole number before it."""
    spoken = f"{spell_cardinal(match['below'])}分之{spell_cardinal(match['above'])}"
    return f"{spell_cardinal(match['whole'])}又{spoken}" if match["whole"] else spoken


@rule(
    rf"(?P<number>{NUMBER})[eE](?P<sign>[+-]?)(?P<exponent>\d{{1,3}})(?![\w.])",
    {"1.23e5": "一点二三乘十的五次方"},
)
def power_of_ten(match: re.Match[str]) -> str:
    """Scientific notation."""
    sign = "负" if match["sign"] == "-" else ""
    return f"{spell_decimal(match['number'])}乘十的{sign}{spell_cardinal(match['exponent'])}次方"


@rule(r"\^(?P<sign>-?)(?P<exponent>\d{1,4})(?!\d)", {"2^10": "二的十次方"})
def exponent(match: re.Match[str]) -> str:
    """A power with a caret."""
    return f"的{'负' if match['sign'] else ''}{spell_cardinal(match['exponent'])}次方"


@rule(r"(?<=\d) ?[*x×] ?(?=\d)", {"3x4": "三乘四"})
def times(_: re.Match[str]) -> str:
    """A multiplication."""
    return "乘"


@rule(r"(?<=\d) ?- ?(?=\d{1,16} ?=)", {"5-3=2": "五减三等于二"})
def minus(_: re.Match[str]) -> str:
    """A subtraction, recognised by the equals sign."""
    return "减"


@rule(r"(?<=满)(?P<least>\d{1,6}) ?- ?(?=\d{1,6}(?![\d元%-]))", {"满300-50": "满三百减五十"})
def reduction(match: re.Match[str]) -> str:
    """What a price is reduced by, from a sum on."""
    return f"{match['least']}减"


@rule(r"(?<![\w.)\]-])-(?=\d)|(?<=[是为到至约于达=])-(?=\d)", {"-5": "负五", "气温是-5": "气温是负五"})
def negative(_: re.Match[str]) -> str:
    """A minus sign before a number: at the start, after a space, or after a verb."""
    return "负"


@rule(r"(?<![\w~])~(?=\d)", {"~100": "约一百"})
def about(_: re.Match[str]) -> str:
    """A tilde before a number."""
    return "约"


@rule(r"(?<![<\-=]) ?(?P<sign>[<>]) ?(?=-?\d)", {"x>3": "x大于三", "<18岁": "小于十八岁"})
def comparison(match: re.Match[str]) -> str:
    """Less than or greater than a number."""
    return "小于" if match["sign"] == "<" else "大于"
