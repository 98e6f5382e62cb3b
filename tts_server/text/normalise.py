"""Text as people write it to text as people say it: digits, dates, times, money, units, phone numbers.

Each rule is a regular expression without nested repetition (so the time is linear in the text) and a function that
says what it found. The order matters: the more specific reading comes first, bare numbers last.
"""

import re
import unicodedata
from collections.abc import Callable

from tts_server.text.numbers import spell_amount, spell_cardinal, spell_decimal, spell_digits
from tts_server.text.units import CURRENCY_SYMBOLS, MEASURE_WORDS, UNITS, say_unit

Rule = tuple[re.Pattern[str], Callable[[re.Match[str]], str]]

_NOT_AFTER_DIGIT = r"(?<![\d.])"
# From its first digit only: tried at each digit of a long number, a rule that then fails would take quadratic time.
_NUMBER = _NOT_AFTER_DIGIT + r"\d+(?:\.\d+)?"
_NOT_BEFORE_DIGIT = r"(?!\d|\.\d)"
_DASHES = str.maketrans(dict.fromkeys("‐‑‒–−﹣－", "-") | dict.fromkeys("～〜∼", "~"))
# NFKC would turn these into letters and digits that mean something else or that nobody would say.
_BEFORE_NFKC = str.maketrans(
    {"℃": "°C", "℉": "°F", "²": "平方", "³": "立方", "…": "。", "½": "二分之一", "¼": "四分之一"}
)


def normalise(text: str) -> str:
    """Return ``text`` in Chinese characters, Latin letters and punctuation (half width), ready to be pronounced.

    Control characters and symbols that have no reading are gone; line ends are sentence ends.
    """
    text = unicodedata.normalize("NFKC", text.translate(_BEFORE_NFKC)).translate(_DASHES)
    text = "".join(map(_plain, text))
    text = _SQUARE_CUBIC.sub(r"\2\1", text)
    for pattern, say in _RULES:
        text = pattern.sub(say, text)
    return re.sub(r"[^\S\n]+", " ", text).strip()


def _plain(char: str) -> str:
    """Fold one character: accents off Latin letters, control characters and joiners out."""
    if char in "\n\r\u2028\u2029":
        return "\n"
    category = unicodedata.category(char)
    if category == "Zs" or char == "\t":
        return " "
    if category[0] == "C" or category == "Mn":
        return ""
    if category[0] == "L" and not char.isascii():
        base = unicodedata.normalize("NFD", char)[0]
        return base if base.isascii() else char
    return char


def _say_date(match: re.Match[str]) -> str:
    year, month, day = match["year"], int(match["month"]), int(match["day"])
    if not (1 <= month <= 12 and 1 <= day <= 31):  # noqa: PLR2004 - the calendar's own figures
        return match[0]
    return f"{spell_digits(year)}年{spell_cardinal(str(month))}月{spell_cardinal(str(day))}日"


def _say_time(match: re.Match[str]) -> str:
    hour, minute, second = int(match["hour"]), int(match["minute"]), match["second"]
    if hour > 24 or minute > 59 or (second and int(second) > 59):  # noqa: PLR2004 - the clock's own figures
        return f"{spell_cardinal(match['hour'])}比{spell_cardinal(match['minute'])}"
    spoken = ("两" if hour == 2 else spell_cardinal(str(hour))) + "点"  # noqa: PLR2004 - two o'clock is 两点
    if minute or second:
        spoken += ("零" if minute < 10 else "") * (minute > 0) + spell_cardinal(str(minute)) + "分"  # noqa: PLR2004
    elif not match["more"]:
        spoken += "整"
    if second and int(second):
        spoken += spell_cardinal(second) + "秒"
    return spoken


def _say_phone(match: re.Match[str]) -> str:
    parts = re.findall(r"\d+", match[0])
    spoken = ",".join(spell_digits(part, phone=True) for part in parts)
    return ("加" if match[0].startswith("+") else "") + spoken


def _say_money(match: re.Match[str]) -> str:
    number, scale = match["number"], match["scale"] or ""
    if "." in number:
        number = number.rstrip("0").rstrip(".")
    return f"{spell_amount(number)}{scale}{CURRENCY_SYMBOLS[match['symbol']]}"


def _say_percent(match: re.Match[str]) -> str:
    of = {"%": "百分之", "‰": "千分之"}[match["of"]]
    return of + spell_decimal(match["number"])


def _say_percent_range(match: re.Match[str]) -> str:
    return f"百分之{spell_decimal(match['low'])}到百分之{spell_decimal(match['high'])}"


def _say_temperature(match: re.Match[str]) -> str:
    sign = "零下" if match["sign"] else ""
    scale = {"C": "摄氏度", "F": "华氏度", None: "度"}[match["scale"]]
    return f"{sign}{spell_decimal(match['number'])}{scale}"


def _say_unit(match: re.Match[str]) -> str:
    return spell_amount(match["number"]) + say_unit(match["unit"])


def _say_year(match: re.Match[str]) -> str:
    return spell_digits(match["year"])


def _say_code(match: re.Match[str]) -> str:
    return match["label"] + spell_digits(match["code"])


def _say_version(match: re.Match[str]) -> str:
    return "点".join(spell_cardinal(part) for part in match[0].split("."))


def _say_number(match: re.Match[str]) -> str:
    number = match[0]
    whole = number.partition(".")[0]
    # Long numbers and those with a leading zero are identifiers: nobody says them as a quantity.
    if whole == number and (len(whole) > 8 or (len(whole) > 1 and whole[0] == "0")):  # noqa: PLR2004
        return spell_digits(number)
    return spell_decimal(number)


def _rule(pattern: str, say: Callable[[re.Match[str]], str]) -> Rule:
    return re.compile(pattern), say


_UNIT_NAMES = "|".join(re.escape(unit) for unit in sorted(UNITS, key=len, reverse=True))
_SYMBOLS = "|".join(re.escape(symbol) for symbol in sorted(CURRENCY_SYMBOLS, key=len, reverse=True))
# 5m² arrives here as 5m平方; said as 5平方m, which the unit rule then reads.
_SQUARE_CUBIC = re.compile(r"(?<=[\d ])([kcm]?m)(平方|立方)")

_RULES: tuple[Rule, ...] = (
    # 12,345,678 -> 12345678
    _rule(r"(?<![\d.,])\d{1,3}(?:,\d{3})+(?!\d)", lambda m: m[0].replace(",", "")),
    # 2026-11-23, 2026/11/23, 2026.11.23
    _rule(
        _NOT_AFTER_DIGIT + r"(?P<year>[12]\d{3})(?P<sep>[-/.])(?P<month>\d{1,2})(?P=sep)(?P<day>\d{1,2})(?![\d.])",
        _say_date,
    ),
    # 1998年, 09年: digit by digit; 100年 is a span of time
    _rule(_NOT_AFTER_DIGIT + r"(?P<year>[12]\d{3}|0\d)(?=年)", _say_year),
    # 400-800-8820, 010-12345678, 138 1234 5678, +86 13812345678
    _rule(
        r"(?<![\d.])(?:\+?86[- ]?)?1[3-9]\d(?P<sep>[- ]?)\d{4}(?P=sep)\d{4}(?!\d)"
        r"|(?<![\d.])0\d{2,3}[- ]\d{7,8}(?:-\d{1,6})?(?!\d)"
        r"|(?<![\d.])[48]00[- ]?\d{3}[- ]?\d{4}(?!\d)",
        _say_phone,
    ),
    # 热线95588, 拨打110: a service number
    _rule(
        r"(?P<label>(?:热线|电话|客服|拨打|致电|转)[是为: ]{0,2})(?P<code>\d{3,8})(?![\d.]|元|万|个)",
        lambda m: m["label"] + spell_digits(m["code"], phone=True),
    ),
    # 验证码是834521, 尾号8888, 房间1203
    _rule(
        r"(?P<label>(?:码|编号|单号|尾号|账号|卡号|工号|车号|房间|航班|车次)[是为: ]{0,2})(?P<code>\d{2,32})(?![\d.])",
        _say_code,
    ),
    # 14:05, 14:05:30
    _rule(
        r"(?<![\d.:])(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2}))?(?![\d:])(?P<more>(?=[-~到至]))?",
        _say_time,
    ),
    # 3:2
    _rule(
        rf"({_NUMBER}):({_NUMBER})" + _NOT_BEFORE_DIGIT,
        lambda m: f"{spell_decimal(m[1])}比{spell_decimal(m[2])}",
    ),
    # ¥12.50, $3万
    _rule(rf"(?P<symbol>{_SYMBOLS}) ?(?P<number>{_NUMBER})(?P<scale>[十百千]?[万亿])?元?", _say_money),
    _rule(rf"(?P<low>{_NUMBER})%? ?[-~] ?(?P<high>{_NUMBER})%", _say_percent_range),
    _rule(rf"(?P<number>{_NUMBER}) ?(?P<of>[%‰])", _say_percent),
    _rule(rf"(?P<sign>(?<![\dA-Za-z])-)?(?P<number>{_NUMBER}) ?°(?P<scale>[CF])?", _say_temperature),
    # 3/4
    _rule(
        _NOT_AFTER_DIGIT + r"(\d+)/(\d+)(?![\d/])",
        lambda m: f"{spell_cardinal(m[2])}分之{spell_cardinal(m[1])}",
    ),
    # -5 after nothing, a space or a Chinese character that is no number
    _rule(r"(?<![\w.)\]-])-(?=\d)|(?<=[是为到约于])-(?=\d)", lambda _: "负"),
    # 3-5天, 100~200
    _rule(rf"(?<![\d.-])({_NUMBER}(?:{_UNIT_NAMES})?) ?[-~] ?(?={_NUMBER}(?![\d.]*-))", lambda m: m[1] + "到"),
    # 1.2.3, 192.168.0.1
    _rule(r"(?<![\d.])\d+(?:\.\d+){2,}(?!\d)", _say_version),
    _rule(
        rf"(?P<number>{_NUMBER}) ?(?P<unit>{_UNIT_NAMES})(?![A-Za-z])",
        _say_unit,
    ),
    # 2个 is 两个
    _rule(rf"{_NOT_AFTER_DIGIT}2(?={MEASURE_WORDS})", lambda _: "两"),
    _rule(r"\d+(?:\.\d+)?", _say_number),
    # Numbers are words now; the signs that are left between words are read, or are a pause
    _rule(r" ?\+ ?", lambda _: "加"),
    _rule(r" ?= ?", lambda _: "等于"),
    _rule(r" ?& ?", lambda _: "和"),
    _rule(r"@", lambda _: "艾特"),
    _rule(r"×", lambda _: "乘"),
    _rule(r"÷", lambda _: "除以"),
    _rule(r"(?<=[A-Za-z零一二三四五六七八九])\.(?=[A-Za-z零一二三四五六七八九])", lambda _: "点"),
)
