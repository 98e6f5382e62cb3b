"""Rules for dates, times, money, units, phone numbers and digits: a pattern, and a function that spells out a match.

The patterns have no nested repetition, so that the time is linear in the length of the text. The order matters: more
specific rules come first, bare numbers last.
"""

import re
from collections.abc import Callable

from tts_server.text.numbers import spell_amount, spell_cardinal, spell_decimal, spell_digits
from tts_server.text.units import CURRENCY_SYMBOLS, MEASURE_WORDS, UNITS, say_unit

Rule = tuple[re.Pattern[str], Callable[[re.Match[str]], str]]

_NOT_AFTER_DIGIT = r"(?<![\d.])"
# Match from the first digit only. A rule that is tried at every digit of a long number and fails takes quadratic time.
_NUMBER = _NOT_AFTER_DIGIT + r"\d+(?:\.\d+)?"
_NOT_BEFORE_DIGIT = r"(?!\d|\.\d)"
_UNIT_NAMES = "|".join(re.escape(unit) for unit in sorted(UNITS, key=len, reverse=True))
_SYMBOLS = "|".join(re.escape(symbol) for symbol in sorted(CURRENCY_SYMBOLS, key=len, reverse=True))
_SPOKEN_DIGIT = "零一二两三四五六七八九十"


def _say_date(match: re.Match[str]) -> str:
    year, month, day = match["year"], int(match["month"]), int(match["day"])
    if not (1 <= month <= 12 and 1 <= day <= 31):  # noqa: PLR2004 - months and days
        return match[0]
    return f"{spell_digits(year)}年{spell_cardinal(str(month))}月{spell_cardinal(str(day))}日"


def _say_year_month(match: re.Match[str]) -> str:
    return f"{spell_digits(match['year'])}年{spell_cardinal(match['month'])}月"


def _say_years(match: re.Match[str]) -> str:
    return f"{spell_digits(match['low'])}到{spell_digits(match['high'])}"


def _say_time(match: re.Match[str]) -> str:
    hour, minute, second = int(match["hour"]), int(match["minute"]), int(match["second"] or 0)
    if hour > 24 or minute > 59 or second > 59:  # noqa: PLR2004 - hours, minutes and seconds
        return f"{spell_cardinal(match['hour'])}比{spell_cardinal(match['minute'])}"
    spoken = _say_half(match["half"]) + _say_hour(hour)
    if minute or second:
        spoken += ("零" if minute < 10 else "") * (minute > 0) + spell_cardinal(str(minute)) + "分"  # noqa: PLR2004
    elif not match["more"]:
        spoken += "整"
    return spoken + (spell_cardinal(str(second)) + "秒" if second else "")


def _say_full_hour(match: re.Match[str]) -> str:
    hour = int(match["hour"])
    return _say_half(match["half"]) + _say_hour(hour) if hour <= 12 else match[0]  # noqa: PLR2004 - 12-hour clock


def _say_hour(hour: int) -> str:
    return ("两" if hour == 2 else spell_cardinal(str(hour))) + "点"  # noqa: PLR2004 - two o'clock is 两点


def _say_half(half: str | None) -> str:
    return {"a": "上午", "p": "下午"}[half[0].lower()] if half else ""


def _say_phone(match: re.Match[str]) -> str:
    parts = re.findall(r"\d+", match[0])
    spoken = ",".join(spell_digits(part, phone=True) for part in parts)
    return ("加" if match[0].startswith("+") else "") + spoken


def _say_masked(match: re.Match[str]) -> str:
    return spell_digits(match[1], phone=True) + "星" * len(match[2]) + spell_digits(match[3], phone=True)


def _say_groups(match: re.Match[str]) -> str:
    return ",".join(spell_digits(part) for part in re.findall(r"\d+", match[0]))


def _say_money(match: re.Match[str]) -> str:
    number, scale = match["number"], match["scale"] or ""
    if "." in number:
        number = number.rstrip("0").rstrip(".")
    return f"{spell_amount(number)}{scale}{CURRENCY_SYMBOLS[match['symbol']]}"


def _say_percent(match: re.Match[str]) -> str:
    of = {"%": "百分之", "‰": "千分之", "‱": "万分之"}[match["of"]]
    return ("负" if match["sign"] else "") + of + spell_decimal(match["number"])


def _say_percent_range(match: re.Match[str]) -> str:
    return f"百分之{spell_decimal(match['low'])}到百分之{spell_decimal(match['high'])}"


def _say_temperature(match: re.Match[str]) -> str:
    sign = "零下" if match["sign"] else ""
    scale = {"C": "摄氏度", "F": "华氏度", None: "度"}[match["scale"]]
    return f"{sign}{spell_decimal(match['number'])}{scale}"


def _say_temperature_range(match: re.Match[str]) -> str:
    low = ("零下" if match["from"] else "") + spell_decimal(match["low"])
    high = ("零下" if match["to"] else "") + spell_decimal(match["high"])
    return f"{low}到{high}{'华氏度' if match['scale'] == 'F' else '摄氏度'}"


def _say_unit(match: re.Match[str]) -> str:
    return spell_amount(match["number"]) + say_unit(match["unit"], match["per"])


def _say_code(match: re.Match[str]) -> str:
    return match["label"] + spell_digits(match["code"])


def _say_version(match: re.Match[str]) -> str:
    return "点".join(spell_cardinal(part) for part in match[0].split("."))


def _say_power_of_ten(match: re.Match[str]) -> str:
    sign = "负" if match["exponent"].startswith("-") else ""
    return f"{spell_decimal(match['number'])}乘十的{sign}{spell_cardinal(match['exponent'].lstrip('+-'))}次方"


def _say_number(match: re.Match[str]) -> str:
    number = match[0]
    whole = number.partition(".")[0]
    # Long numbers, and those with a leading zero, are identifiers rather than quantities.
    if whole == number and (len(whole) > 8 or (len(whole) > 1 and whole[0] == "0")):  # noqa: PLR2004
        return spell_digits(number)
    return spell_decimal(number)


def _rule(pattern: str, say: Callable[[re.Match[str]], str]) -> Rule:
    return re.compile(pattern), say


_CLOCK = r"(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2}))?"
_HALF = r"(?: ?(?P<half>[ap]\.?m|[AP]\.?M)(?![A-Za-z])\.?)"
_TEMPERATURE = r"°(?P<scale>[CF])"

_DATES_AND_TIMES = (
    # 2026-11-23, 2026/11/23, 2026.11.23
    _rule(
        _NOT_AFTER_DIGIT + r"(?P<year>[12]\d{3})(?P<sep>[-/.])(?P<month>\d{1,2})(?P=sep)(?P<day>\d{1,2})(?![\d.])",
        _say_date,
    ),
    # 11/23/2026
    _rule(r"(?<![\d./])(?P<month>\d{1,2})/(?P<day>\d{1,2})/(?P<year>[12]\d{3})(?![\d./])", _say_date),
    # 2026-11: a month, recognised by the four digits of the year
    _rule(_NOT_AFTER_DIGIT + r"(?P<year>[12]\d{3})[-/](?P<month>0[1-9]|1[0-2])(?![\d.年/-])", _say_year_month),
    # 2020-2026年
    _rule(_NOT_AFTER_DIGIT + r"(?P<low>[12]\d{3})年? ?[-~] ?(?P<high>[12]\d{3})(?=年)", _say_years),
    # 1998年, 09年: digit by digit; 100年 is a duration
    _rule(_NOT_AFTER_DIGIT + r"(?P<year>[12]\d{3}|0\d)(?=年)", lambda m: spell_digits(m["year"])),
    # 90后
    _rule(_NOT_AFTER_DIGIT + r"([05-9][05])(?=后(?!来|天|面|年|个))", lambda m: spell_digits(m[1])),
)
_CLOCKS = (
    # 14:05, 14:05:30, 3:30 pm
    _rule(rf"(?<![\d.:]){_CLOCK}(?![\d:]){_HALF}?(?P<more>(?= ?[-~到至]))?", _say_time),
    # 9am
    _rule(rf"(?<![\d.:])(?P<hour>\d{{1,2}}){_HALF}", _say_full_hour),
    # 3:2
    _rule(rf"({_NUMBER}):({_NUMBER})" + _NOT_BEFORE_DIGIT, lambda m: f"{spell_decimal(m[1])}比{spell_decimal(m[2])}"),
)
_CODES = (
    # 6222 0212 3456 7890
    _rule(r"(?<![\d.-])\d{4}(?: \d{4}){2,4}(?![\d.])", _say_groups),
    # 400-800-8820, 010-12345678, 138 1234 5678, +86 13812345678, +1 (415) 555-2671
    _rule(
        r"(?<![\d.])(?:\+?86[- ]?)?1[3-9]\d(?P<sep>[- ]?)\d{4}(?P=sep)\d{4}(?!\d)"
        r"|(?<![\d.])0\d{2,3}[- ]\d{3,4}[- ]?\d{4}(?:-\d{1,6})?(?!\d)"
        r"|(?<![\d.])[48]00[- ]?\d{3}[- ]?\d{4}(?!\d)"
        r"|(?<![\w)])\+\d{1,3}[- ]?\(?\d{2,4}\)?(?:[- ]\d{2,4}){1,4}(?!\d)",
        _say_phone,
    ),
    # 138****8000
    _rule(r"(?<!\d)(\d{2,6})(\*{2,12})(\d{2,6})(?!\d)", _say_masked),
    # 热线95588, 拨打110, 12345热线, 10086: service numbers
    _rule(
        r"(?P<label>(?:热线|电话|客服|拨打|致电|转)[是为: ]{0,2})(?P<code>\d{3,8})(?![\d.]|元|万|个)",
        lambda m: m["label"] + spell_digits(m["code"], phone=True),
    ),
    _rule(
        r"(?<![A-Za-z\d.,])(?:\d{3,8}(?=(?:服务|客服|投诉|举报)?热线|客服|火警|报警|急救)"
        r"|(?:10086|10010|10001|12306|12315|12345|12348|12368|12333|95\d{3})(?![\d.,]|元|万|个|人|米|块))",
        lambda m: spell_digits(m[0], phone=True),
    ),
    # 验证码是834521, 尾号8888, 房间1203, 502房间
    _rule(
        r"(?P<label>(?:码|编号|单号|尾号|账号|卡号|工号|车号|房间|航班|车次)[是为: ]{0,2})(?P<code>\d{2,32})(?![\d.])",
        _say_code,
    ),
    _rule(r"(?<![\d.])\d{3,4}(?=房|室|教室|病房|路(?:公交|车))", lambda m: spell_digits(m[0])),
    # 911事件: digit by digit
    _rule(r"(?<![\d.])(?:911|618|315|996)(?=事件|大促|晚会|活动|工作|制)", lambda m: spell_digits(m[0])),
    # 978-7-111-40772-3
    _rule(r"(?<![\d.-])\d{1,8}(?:-\d{1,8}){2,6}(?![\d.-])", _say_groups),
    # CA1831, 京A12345
    _rule(r"(?<=[A-Za-z])(-?)(\d{3,32})(?![\d.])", lambda m: (" " if m[1] else "") + spell_digits(m[2])),
)
_QUANTITIES = (
    # ¥12.50, $3万, 100$
    _rule(rf"(?P<symbol>{_SYMBOLS}) ?(?P<number>{_NUMBER})(?P<scale>[十百千]?[万亿])?元?", _say_money),
    _rule(rf"(?P<number>{_NUMBER})(?P<scale>[十百千]?[万亿])? ?(?P<symbol>{_SYMBOLS})(?![A-Za-z])", _say_money),
    _rule(rf"(?P<low>{_NUMBER})%? ?[-~] ?(?P<high>{_NUMBER})%", _say_percent_range),
    _rule(rf"(?P<sign>(?<![\w.)%-])-|(?<=[\u4e00-\u9fff])-)?(?P<number>{_NUMBER}) ?(?P<of>[%‰‱])", _say_percent),
    _rule(
        rf"(?P<from>(?<![\dA-Za-z])-)?(?P<low>{_NUMBER})(?:°[CF]?)? ?[-~到至] ?"
        rf"(?P<to>-)?(?P<high>{_NUMBER}) ?{_TEMPERATURE}",
        _say_temperature_range,
    ),
    _rule(rf"(?P<sign>(?<![\dA-Za-z])-)?(?P<number>{_NUMBER}) ?°(?P<scale>[CF](?![A-Za-z]))?", _say_temperature),
    _rule(rf"(?<=度)({_NUMBER})′", lambda m: spell_cardinal(m[1]) + "分"),
    _rule(rf"(?<=分)({_NUMBER})(?:″|′′)", lambda m: spell_cardinal(m[1]) + "秒"),
    # 24/7 is an idiom, 3/4 a fraction
    _rule(r"(?<![\d./])(?:24/7|7[x*]24)(?![\d./])", lambda _: "七乘二十四"),
    _rule(
        _NOT_AFTER_DIGIT + r"(\d+)/(\d+)(?![\d/])",
        lambda m: f"{spell_cardinal(m[2])}分之{spell_cardinal(m[1])}",
    ),
    # 1.23e5, 2^10
    _rule(rf"(?P<number>{_NUMBER})[eE](?P<exponent>[+-]?\d{{1,3}})(?![\w.])", _say_power_of_ten),
    _rule(r"\^(-?)(\d{1,4})(?!\d)", lambda m: f"的{'负' if m[1] else ''}{spell_cardinal(m[2])}次方"),
    # 3*4, 3x4, 5-3=2
    _rule(r"(?<=\d) ?[*x×] ?(?=\d)", lambda _: "乘"),
    _rule(r"(?<=\d) ?- ?(?=\d{1,16} ?=)", lambda _: "减"),
    # -5 at the start, after a space, or after a Chinese character that is not a numeral
    _rule(r"(?<![\w.)\]-])-(?=\d)|(?<=[是为到约于=])-(?=\d)", lambda _: "负"),
    # ~100
    _rule(r"(?<![\w~])~(?=\d)", lambda _: "约"),
    # 3-5天, 100~200
    _rule(rf"(?<![\d.-])({_NUMBER}(?:{_UNIT_NAMES})?) ?[-~] ?(?={_NUMBER}(?![\d.]*-))", lambda m: m[1] + "到"),
    # 1.2.3, 192.168.0.1
    _rule(r"(?<![\d.])\d+(?:\.\d+){2,}(?!\d)", _say_version),
    _rule(rf"(?P<number>{_NUMBER}) ?(?P<unit>{_UNIT_NAMES})(?:/(?P<per>{_UNIT_NAMES}))?(?![A-Za-zΑ-ω])", _say_unit),
    # x > 3
    _rule(r"(?<=[\w)]) ?< ?(?=\d)", lambda _: "小于"),
    _rule(r"(?<=[\w)]) ?> ?(?=\d)", lambda _: "大于"),
    # #1
    _rule(r"#(\d{1,8})(?![\d.])", lambda m: f"{spell_cardinal(m[1])}号"),
    # 2个 is 两个
    _rule(rf"{_NOT_AFTER_DIGIT}2(?={MEASURE_WORDS})", lambda _: "两"),
    _rule(r"\d+(?:\.\d+)?", _say_number),
)
_AFTER_NUMBERS = (
    # 8点-18点, 1月~3月
    _rule(rf"(?<=[点分秒整月日号年度元米时周天度{_SPOKEN_DIGIT}]) ?[-~] ?(?=[{_SPOKEN_DIGIT}])", lambda _: "到"),
    # 元/月
    _rule(r"(?<=[元角分块克斤升米吨人次个度])/(?=[\u4e00-\u9fff])", lambda _: "每"),
    # C#, user_name, a.com
    _rule(r"(?<=[A-Za-z])#(?![\w#])", lambda _: "井"),
    _rule(r"(?<=[A-Za-z0-9])_(?=[A-Za-z0-9])", lambda _: "下划线"),
    _rule(rf"(?<=[A-Za-z{_SPOKEN_DIGIT}])\.(?=[A-Za-z{_SPOKEN_DIGIT}])", lambda _: "点"),
)

RULES: tuple[Rule, ...] = (
    # 12,345,678 -> 12345678; U.S.A. -> USA
    _rule(r"(?<![\d.,])\d{1,3}(?:,\d{3})+(?!\d)", lambda m: m[0].replace(",", "")),
    _rule(r"(?<![A-Za-z.])[A-Za-z](?:\.[A-Za-z]){1,8}\.(?![A-Za-z\d])", lambda m: m[0].replace(".", "")),
    *_DATES_AND_TIMES,
    *_CODES,
    *_CLOCKS,
    *_QUANTITIES,
    *_AFTER_NUMBERS,
)
