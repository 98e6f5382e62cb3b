"""Times of the day."""

import re

from tts_server.text.numbers import spell_amount, spell_cardinal, spell_digits
from tts_server.text.rules.rule import NOT_AFTER_DIGIT, NOT_COUNTED, rule

_HALF = r"(?: ?(?P<half>[ap]\.?m|[AP]\.?M)(?![A-Za-z])\.?)"
_CLOCK = r"(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2}))?"
_BEFORE_END = re.compile(r"[-~到至] ?(?:次日|第二天|[上下]午|[周星期礼拜一二三四五六日天]{2,3})?$")
_HOURS, _MINUTES, _HALF_DAY, _TWO_DIGITS = 24, 60, 12, 10


@rule(
    rf"(?<![\d.:]){_CLOCK}(?![\d:]){_HALF}?(?P<sharp>整)?(?=(?P<from> ?[-~到至])?)",
    {
        "14:05": "十四点零五分",
        "8:00": "八点整",
        "08:00:09": "八点零分九秒",
        "8:00-18:00": "八点到十八点",
        "3:30pm": "下午三点三十分",
    },
)
def time(match: re.Match[str]) -> str | None:
    """Hours and minutes, and perhaps seconds, am or pm. A full hour is 整, but not in a range."""
    hour, minute, second = int(match["hour"]), int(match["minute"]), int(match["second"] or 0)
    if hour > _HOURS or minute >= _MINUTES or second >= _MINUTES:
        return None
    spoken = _say_half(match["half"]) + _say_hour(match["hour"])
    in_range = match["from"] or _BEFORE_END.search(match.string, max(0, match.start() - 6), match.start())
    if second:
        return f"{spoken}{_say_minute(minute)}{spell_cardinal(str(second))}秒"
    if minute:
        return spoken + _say_minute(minute)
    return spoken if in_range and not match["sharp"] else spoken + "整"


@rule(
    r"(?<![\d.])(?:(?P<hours>\d{1,3})h ?(?P<minutes>\d{1,2})m(?:in)?|(?P<only_minutes>\d{1,3})m(?:in)?(?=\d{1,2}s))"
    r"(?: ?(?P<seconds>\d{1,2})s)?(?![A-Za-z\d])",
    {"1h30m": "一小时三十分", "3m20s": "三分二十秒"},
)
def duration(match: re.Match[str]) -> str:
    """Hours and minutes, or minutes and seconds, with the letters h, m and s."""
    spoken = f"{spell_amount(match['hours'])}小时" if match["hours"] else ""
    spoken += f"{spell_cardinal(match['minutes'] or match['only_minutes'])}分"
    return spoken + (f"{spell_cardinal(match['seconds'])}秒" if match["seconds"] else "")


@rule(
    NOT_AFTER_DIGIT + r"(?P<seconds>\d{1,2})秒(?P<hundredths>\d{2})" + NOT_COUNTED,
    {"12秒88": "十二秒八八", "1分59秒40": "一分五十九秒四零", "10秒30次": "十秒三十次"},
)
def hundredths(match: re.Match[str]) -> str:
    """Seconds and hundredths, as a result in sports."""
    return f"{spell_cardinal(match['seconds'])}秒{spell_digits(match['hundredths'])}"


@rule(
    rf"(?<![\d.:])(?P<hour>\d{{1,2}}){_HALF}",
    {"9am开门": "上午九点开门"},
)
def full_hour(match: re.Match[str]) -> str | None:
    """An hour with am or pm."""
    return _say_half(match["half"]) + _say_hour(match["hour"]) if int(match["hour"]) <= _HALF_DAY else None


def _say_hour(hour: str) -> str:
    return spell_amount(str(int(hour))) + "点"


def _say_minute(minute: int) -> str:
    return ("零" if 0 < minute < _TWO_DIGITS else "") + spell_cardinal(str(minute)) + "分"


def _say_half(half: str | None) -> str:
    return {"a": "上午", "p": "下午"}[half[0].lower()] if half else ""
