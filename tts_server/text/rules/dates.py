"""Dates, years and ranges of them."""

import re

from tts_server.text.numbers import spell_cardinal, spell_digits
from tts_server.text.rules.rule import NOT_AFTER_DIGIT, NOT_COUNTED, rule

_MONTHS, _DAYS = 12, 31
_FIRST_YEAR, _LAST_YEAR = 1900, 2100
# 2024.05 is a month, unless a unit follows
_DOTTED_MONTH = rf"\d\d{NOT_COUNTED}"
# 95年出生 is a year, 95年 may be a time span
_YEAR_SHOWN_BY = "出生|生人|毕业|款|版|初|底|末|春|夏|秋|冬|世界杯|奥运|高考|入学|入职|入伍|参加工作"
_SLASHED = r"(?<![\d./])(?P<month>\d{1,2})/(?P<day>\d{1,2})"


def _say(year: str | None, month: str, day: str) -> str | None:
    if not (1 <= int(month) <= _MONTHS and 1 <= int(day) <= _DAYS):
        return None
    spoken = f"{spell_cardinal(month)}月{spell_cardinal(day)}日"
    return f"{spell_digits(year)}年{spoken}" if year else spoken


@rule(
    NOT_AFTER_DIGIT + r"(?P<year>[12]\d{3})(?P<sep>[-/.])(?P<month>\d{1,2})(?P=sep)(?P<day>\d{1,2})(?![\d.])",
    {"2026-11-23": "二零二六年十一月二十三日", "2026.11.23": "二零二六年十一月二十三日"},
)
def date(match: re.Match[str]) -> str | None:
    """Year, month and day, with dashes, slashes or dots."""
    return _say(match["year"], match["month"], match["day"])


@rule(
    r"(?<![\d./])(?P<month>\d{1,2})/(?P<day>\d{1,2})/(?P<year>[12]\d{3})(?![\d./])",
    {"11/23/2026": "二零二六年十一月二十三日"},
)
def american_date(match: re.Match[str]) -> str | None:
    """Month, day and year, with slashes."""
    return _say(match["year"], match["month"], match["day"])


@rule(
    NOT_AFTER_DIGIT + r"(?P<year>(?:19|20)\d{2})(?P<month>0[1-9]|1[0-2])(?P<day>0[1-9]|[12]\d|3[01])"
    r"(?![\d.年元万亿个])(?<!\d{9})",
    {"20261128": "二零二六年十一月二十八日"},
)
def compact_date(match: re.Match[str]) -> str | None:
    """Year, month and day in eight digits."""
    return _say(match["year"], match["month"], match["day"])


@rule(
    _SLASHED + r" ?[-~到至] ?(?P<last_month>\d{1,2})/(?P<last_day>\d{1,2})(?![\d./])",
    {"11/28-12/5": "十一月二十八日到十二月五日"},
)
def slashed_days(match: re.Match[str]) -> str | None:
    """From one month and day to another, with slashes."""
    first = _say(None, match["month"], match["day"])
    last = _say(None, match["last_month"], match["last_day"])
    return f"{first}到{last}" if first and last else None


@rule(
    _SLASHED + r"(?= ?\d{1,2}:\d{2}| ?[(]?(?:周|星期|礼拜)[一二三四五六日天]| ?(?:[上下]午|早上|晚上|凌晨)"
    r"|前(?!半)|起(?!来)|截止)",
    {"11/28 15:30": "十一月二十八日 十五点三十分", "3/5前": "三月五日前"},
)
def slashed_day(match: re.Match[str]) -> str | None:
    """Month and day with a slash, if a time, a weekday, 前 or 起 follows. Otherwise it is a fraction."""
    return _say(None, match["month"], match["day"])


@rule(
    r"(?P<until>(?:截至|截止|日期|有效期)[于是为到至: ]{0,2})(?P<month>\d{1,2})/(?P<day>\d{1,2})(?![\d./])",
    {"截至12/31": "截至十二月三十一日"},
)
def slashed_deadline(match: re.Match[str]) -> str | None:
    """Month and day with a slash after a word for a date."""
    spoken = _say(None, match["month"], match["day"])
    return match["until"] + spoken if spoken else None


@rule(
    NOT_AFTER_DIGIT + r"(?P<year>[12]\d{3})[/-](?P<next>(?:\d{2}){1,2})(?=(?:赛季|学年|财年|年度))",
    {"2024/25赛季": "二零二四至二五赛季"},
)
def season(match: re.Match[str]) -> str:
    """A season or a school year that spans two years."""
    return f"{spell_digits(match['year'])}至{spell_digits(match['next'])}"


@rule(
    NOT_AFTER_DIGIT
    + rf"(?P<year>[12]\d{{3}})(?:[-/]|\.(?={_DOTTED_MONTH}))(?P<month>0[1-9]|1[0-2])(?![\d.年/]|-\d(?!\d{{3}}))",
    {"2024.05": "二零二四年五月", "2026-11": "二零二六年十一月"},
)
def year_and_month(match: re.Match[str]) -> str:
    """Year and month, recognised by the four digits of the year."""
    return f"{spell_digits(match['year'])}年{spell_cardinal(match['month'])}月"


@rule(
    NOT_AFTER_DIGIT + r"(?P<low>[12]\d{3})(?P<unit>年?) ?[-~到至] ?(?P<high>[12]\d{3})(?=年|学年|赛季|财年)",
    {"2020-2026年": "二零二零到二零二六年", "2020年-2026年": "二零二零年到二零二六年"},
)
def years(match: re.Match[str]) -> str:
    """From one year to another."""
    return f"{spell_digits(match['low'])}{match['unit']}到{spell_digits(match['high'])}"


@rule(
    NOT_AFTER_DIGIT + r"(?P<years>[1-9]\d00)年"
    r"(?P<after>(?:多|余)?(?:前|后(?!的)|(?:的)?(?:历史|文明|古|时间|岁月|沧桑|传统)|来(?!年)|间))",
    {"1500年前": "一千五百年前", "2000年的历史": "两千年的历史", "1900年后": "一九零零年后"},
)
def age_in_years(match: re.Match[str]) -> str | None:
    """A round number of years that is a time span, not a year: ``1500年前``, ``5000年文明``."""
    years_, after = match["years"], match["after"]
    calendar = after in {"前", "后"} and _FIRST_YEAR <= int(years_) <= _LAST_YEAR and years_ + after != "2000前"
    if calendar:
        return None
    return f"{spell_cardinal(years_)}年{after}"


@rule(
    NOT_AFTER_DIGIT
    + r"(?:(?:[12]\d{3}|0\d)(?=年(?!级))|20\d{2}(?=Q[1-4])"
    + rf"|\d{{2}}(?=年(?:\d{{1,2}}月|{_YEAR_SHOWN_BY})))",
    {"1998年": "一九九八年", "09年": "零九年", "98年5月": "九八年五月", "100年": "一百年", "3000年": "三千年"},
)
def year(match: re.Match[str]) -> str:
    """A year, digit by digit. ``100年`` is a time span."""
    return spell_digits(match[0])


@rule(
    NOT_AFTER_DIGIT + r"(?P<year>[05-9][05])(?=后(?!来|天|面|年|个|[0-9]))",
    {"90后": "九零后"},
)
def generation(match: re.Match[str]) -> str:
    """Those born in the 1980s, 1990s ..."""
    return spell_digits(match["year"])


@rule(
    r"(?<=\d月)(?P<low>\d{1,2})(?P<unit>[日号]?) ?[-~] ?(?=\d{1,2}[日号])",
    {"5月1-3日": "五月一到三日"},
)
def days(match: re.Match[str]) -> str:
    """From one day of a month to another."""
    return f"{spell_cardinal(match['low'])}{match['unit']}到"
