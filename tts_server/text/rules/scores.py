"""Pairs of numbers that are compared: scores, ratios, blood pressure."""

import re

from tts_server.text.numbers import spell_decimal
from tts_server.text.rules.rule import NOT_BEFORE_DIGIT, NUMBER, rule

_WON = (
    "获胜|取胜|战胜|击败|领先|落后|大胜|完胜|险胜|小胜|胜出|胜|负于|不敌|惜败|惨败|告负|失利|力克|横扫|逆转|"
    "战平|打平|逼平|平局|淘汰|晋级|夺冠|告捷|轻取|速胜|结束"
)
_PAIR = r"(?P<one>\d{1,3}) ?[-:] ?(?P<other>\d{1,3})(?![\d:.-])"


def _compare(match: re.Match[str]) -> str:
    return f"{spell_decimal(match['one'])}比{spell_decimal(match['other'])}"


@rule(
    rf"(?P<label>(?:比分|局分|战绩|战成)[是为:定格在成变]{{0,3}} ?){_PAIR}",
    {"比分21:15": "比分二十一比十五"},
)
def labelled_score(match: re.Match[str]) -> str:
    """A score after a word for one."""
    return match["label"] + _compare(match)


@rule(rf"(?<![\d.:-]){_PAIR}(?=的?(?:比分|{_WON}))", {"以2-0获胜": "以二比零获胜"})
def score(match: re.Match[str]) -> str:
    """A score before a word for winning or losing."""
    return _compare(match)


@rule(
    rf"(?P<label>比例尺?[是为约:]? ?|配比[是为约:]? ?|[按约]|稀释) ?(?P<one>{NUMBER}) ?: ?(?P<other>{NUMBER})"
    rf"{NOT_BEFORE_DIGIT}(?!:)(?![前后起])",
    {"比例1:10": "比例一比十"},
)
def ratio(match: re.Match[str]) -> str:
    """A ratio after a word for one."""
    return match["label"] + _compare(match)


@rule(rf"(?P<one>{NUMBER}):(?P<other>{NUMBER}){NOT_BEFORE_DIGIT}(?!:)", {"16:9": "十六比九", "3:2": "三比二"})
def colon(match: re.Match[str]) -> str:
    """Two numbers with a colon that are no time."""
    return _compare(match)


@rule(
    r"(?P<label>(?:血压|收缩压舒张压|高低压)(?:值|正常)?[是为:约在]{0,2} ?)"
    r"(?P<one>\d{2,3})/(?P<other>\d{2,3})(?![\d./])(?: ?(?P<unit>mmHg))?",
    {"血压120/80": "血压一百二十比八十"},
)
def blood_pressure(match: re.Match[str]) -> str:
    """Systolic and diastolic blood pressure."""
    return match["label"] + _compare(match) + ("毫米汞柱" if match["unit"] else "")
