"""Ordinals, ranges of numbers, measure words, and numbers by themselves: what no other rule has taken."""

import re

from tts_server.text.numbers import spell_amount, spell_cardinal, spell_decimal, spell_digits
from tts_server.text.rules.rule import NOT_AFTER_DIGIT, NUMBER, UNIT_NAMES, rule
from tts_server.text.units import MEASURE_WORDS

_LONGEST_QUANTITY, _LONGEST_NUMBER_OF = 8, 4


@rule(
    r"第 ?\d+(?:(?:[、,和与及到至~-]|[、,]? ?第) ?\d+(?![\d.]))*",
    {"第2天": "第二天", "第3名": "第三名", "第2-4章": "第二到四章"},
)
def ordinal(match: re.Match[str]) -> str:
    """Numbers after 第: 2 is 二, whatever follows."""
    spoken = re.sub(r"\d+", lambda number: spell_cardinal(number[0]), match[0])
    return re.sub("[~-]", "到", spoken).replace(" ", "")


@rule(r"(?<![A-Za-z])No\.? ?(?P<number>\d{1,8})(?![\d.])", {"No.1": "第一"}, flags=re.IGNORECASE)
def number_of(match: re.Match[str]) -> str:
    """``No.`` before a number. A long number, or one with a leading zero, is an identifier."""
    number = match["number"]
    if number.startswith("0") or len(number) >= _LONGEST_NUMBER_OF:
        return "编号" + spell_digits(number)
    return "第" + spell_cardinal(number)


@rule(r"(?<![\w.])(?P<number>\d{1,4})(?:st|nd|rd|th)(?![A-Za-z])", {"1st": "第一"}, flags=re.ASCII)
def english_ordinal(match: re.Match[str]) -> str:
    """English ordinals."""
    return "第" + spell_cardinal(match["number"])


@rule(
    rf"(?<![\d.-])(?P<low>{NUMBER})(?P<unit>(?:{UNIT_NAMES})?) ?[-~] ?(?=\d+(?:\.\d+)?(?![\d.]*-))",
    {"3-5天": "三到五天", "100~200人": "一百到二百人"},
)
def number_range(match: re.Match[str]) -> str:
    """From one number to another."""
    return f"{match['low']}{match['unit']}到"


@rule(
    rf"{NOT_AFTER_DIGIT}(?P<few>[1-8])、(?P<more>[2-9])(?=[十百千万]?(?:{MEASURE_WORDS}))",
    {"3、4个人": "三四个人", "2、3天": "两三天"},
)
def approximation(match: re.Match[str]) -> str | None:
    """Two numbers in a row for about so many, spoken without a pause."""
    if int(match["few"]) + 1 != int(match["more"]):
        return None
    return spell_amount(match["few"]) + spell_cardinal(match["more"])


@rule(r"#(?P<number>\d{1,8})(?![\d.])", {"#1": "一号"})
def number_sign(match: re.Match[str]) -> str:
    """A number sign before a number."""
    return f"{spell_cardinal(match['number'])}号"


@rule(
    rf"(?<![A-Za-z]){NOT_AFTER_DIGIT}2(?=(?:到\d{{1,2}})?(?:{MEASURE_WORDS}))",
    {"2间房住2晚": "两间房住两晚", "2号": "二号", "2年级": "二年级", "12个": "十二个"},
)
def two(_: re.Match[str]) -> str:
    """2 is 两 before a measure word."""
    return "两"


@rule(r"\d+(?:\.\d+)?", {"共938个": "共九百三十八个", "007": "零零七", "3.14": "三点一四"})
def number(match: re.Match[str]) -> str:
    """Any other number. Long ones, and those with a leading zero, are identifiers: they are read digit by digit."""
    whole, point, _ = match[0].partition(".")
    if not point and (len(whole) > _LONGEST_QUANTITY or (len(whole) > 1 and whole[0] == "0")):
        return spell_digits(whole)
    return spell_decimal(match[0])
