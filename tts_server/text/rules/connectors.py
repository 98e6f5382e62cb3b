"""Signs between numbers that have been spelt out, and between letters."""

import re

from tts_server.text.rules.rule import HANZI, SPOKEN_DIGIT, rule


@rule(
    rf"(?<=[点分秒整月日号年度元块米时周天期%人岁级楼层百千万亿{SPOKEN_DIGIT}]) ?[-~] ?"
    rf"(?=[{SPOKEN_DIGIT}幺负]|[周星礼][一二三四五六日天期拜]|零下|百分之|[上下]午|早上|晚上|凌晨|中午|次日|翌日)"
    r"|(?<=[周期拜][一二三四五六])[-~](?=[日天])",
    {"8点-18点": "八点到十八点", "1月~3月": "一月到三月", "周一-周五": "周一到周五", "周六-日": "周六到日"},
)
def spoken_range(_: re.Match[str]) -> str:
    """From one time, date or sum to another."""
    return "到"


@rule(
    rf"(?:(?<=[公英海]里)|(?<=[元角分块克斤升米吨人次个度时天月件片粒颗包袋支瓶杯盒台套箱桶张本条份字页帧步晚转]))/(?=[{HANZI}])",
    {"100元/月": "一百元每月", "8公里/秒": "八公里每秒"},
)
def per(_: re.Match[str]) -> str:
    """A price or a rate."""
    return "每"


@rule(r"(?P<sign>[#*])(?P<mark>号?)(?=键)", {"按#号键": "按井号键", "按*键": "按星号键"})
def telephone_key(match: re.Match[str]) -> str:
    """The two keys of a telephone that are no digits."""
    return ("井" if match["sign"] == "#" else "星") + "号"


@rule(r"(?<=[A-Za-z])#(?![\w#])", {"C#": "C井"})
def sharp(_: re.Match[str]) -> str:
    """A number sign after a letter."""
    return "井"


@rule(r"(?<=[A-Za-z0-9])_(?=[A-Za-z0-9])", {"user_name": "user下划线name"})
def underscore(_: re.Match[str]) -> str:
    """An underscore within a name."""
    return "下划线"


@rule(rf"(?<=[A-Za-z{SPOKEN_DIGIT}])\.(?=[A-Za-z{SPOKEN_DIGIT}])", {"a.com": "a点com", "v2.0": "v二点零"})
def dot(_: re.Match[str]) -> str:
    """A dot within a name."""
    return "点"
