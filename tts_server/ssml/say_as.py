"""``say-as``: what is written, spelt out as one kind of thing."""

import re
from collections.abc import Callable

from tts_server.text.numbers import spell_cardinal, spell_decimal, spell_digits

_MAX_CARDINAL_DIGITS = 16
_NUMBER = re.compile(r"(?P<sign>[+-]?)(?P<number>(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d{1,16})?)", re.ASCII)
_DIGITS = re.compile(r"\d+(?:[ -]\d+)*", re.ASCII)
_TELEPHONE = re.compile(r"\+?[\d ().*#-]*\d[\d ().*#-]*(?:(?:转|x|ext\.?) ?\d+)?", re.ASCII)
_TELEPHONE_PART = re.compile(r"\d+|[+*#]|[^\d+*#\s().-]+")
_TIME = re.compile(
    r"(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2}))? ?(?P<half>[ap]\.?m\.?)?", re.ASCII | re.IGNORECASE
)
_DATE_ORDERS = ("ymd", "mdy", "dmy", "ym", "my", "md", "dm", "y", "m", "d")
_HALVES = {"a": "上午", "p": "下午"}
_TELEPHONE_SIGNS = {"+": "加", "*": "星", "#": "井"}
_SIGNS = {
    "-": "杠",
    "_": "下划线",
    ".": "点",
    ",": "逗号",
    ":": "冒号",
    ";": "分号",
    "/": "斜杠",
    "\\": "反斜杠",
    "@": "艾特",
    "#": "井",
    "*": "星",
    "+": "加",
    "=": "等于",
    "&": "和",
    "%": "百分号",
    "$": "美元",
    "!": "感叹号",
    "?": "问号",
    "(": "左括号",
    ")": "右括号",
    "'": "单引号",
    '"': "双引号",
    "~": "波浪号",
    "|": "竖线",
    "^": "尖号",
    "<": "小于",
    ">": "大于",
    "[": "左方括号",
    "]": "右方括号",
    "{": "左花括号",
    "}": "右花括号",
    "`": "反引号",
    "。": "句号",
    "，": "逗号",
    "、": "顿号",
    "？": "问号",
    "！": "感叹号",
    "：": "冒号",
    "；": "分号",
    "¥": "人民币",
}


def say_as(kind: str, text: str, form: str = "") -> str:
    """Return ``text`` spelt out as ``interpret-as="kind"`` and ``format="form"`` ask.

    Raises ValueError that says what is wrong and what to write instead.
    """
    if kind not in _KINDS:
        raise ValueError(f"interpret-as must be one of {', '.join(_KINDS)}, not {kind!r}.")
    if form and kind not in {"date", "time"}:
        raise ValueError("format belongs to interpret-as 'date' and 'time' only.")
    text = text.strip()
    if not text:
        raise ValueError(f"There is nothing to say as {kind}.")
    return _KINDS[kind](text, form)


def _say_digits(text: str, _: str) -> str:
    if not _DIGITS.fullmatch(text):
        raise ValueError(f"digits must be digits, in groups if you like, such as 1234 5678, not {text!r}.")
    return ",".join(spell_digits(group) for group in re.split("[ -]", text))


def _say_cardinal(text: str, _: str) -> str:
    match = _NUMBER.fullmatch(text)
    number = match["number"].replace(",", "") if match else ""
    if not match or len(number.partition(".")[0]) > _MAX_CARDINAL_DIGITS:
        raise ValueError(f"cardinal must be a number of at most {_MAX_CARDINAL_DIGITS} digits, not {text!r}.")
    return {"-": "负", "+": "正", "": ""}[match["sign"]] + spell_decimal(number)


def _say_ordinal(text: str, _: str) -> str:
    if not text.isascii() or not text.isdigit() or len(text) > _MAX_CARDINAL_DIGITS:
        raise ValueError(f"ordinal must be a whole number, such as 3, not {text!r}.")
    return "第" + spell_cardinal(text)


def _say_telephone(text: str, _: str) -> str:
    if not _TELEPHONE.fullmatch(text):
        raise ValueError(f"telephone must be a number such as +86 138-1234-5678 or 010-12345678转8001, not {text!r}.")
    spoken = ""
    for part in _TELEPHONE_PART.findall(text):
        if part.isdigit():
            spoken += ("," if spoken[-1:] in _SPOKEN_DIGITS else "") + spell_digits(part, phone=True)
        else:
            spoken += _TELEPHONE_SIGNS.get(part, "转")
    return spoken


_SPOKEN_DIGITS = frozenset("零幺二三四五六七八九")


def _say_date(text: str, form: str) -> str:
    order = form or "ymd"
    if order not in _DATE_ORDERS:
        raise ValueError(f"format must be one of {', '.join(_DATE_ORDERS)}, not {order!r}.")
    numbers = re.split(r"[-/.]", text)
    if order == "ymd" and re.fullmatch(r"[0-9]{8}", text):
        numbers = [text[:4], text[4:6], text[6:]]
    if len(numbers) != len(order) or not all(re.fullmatch(r"[0-9]{1,4}", each) for each in numbers):
        example = "-".join({"y": "2026", "m": "11", "d": "23"}[each] for each in order)
        raise ValueError(f"A date of the format {order} is written like {example}, not {text!r}.")
    given = dict(zip(order, numbers, strict=True))
    month, day = int(given.get("m", 1)), int(given.get("d", 1))
    if not 1 <= month <= 12 or not 1 <= day <= 31:  # noqa: PLR2004 - months and days
        raise ValueError(f"{text!r} is not a date of the format {order}: there is no month {month} or no day {day}.")
    spoken = spell_digits(given["y"]) + "年" if "y" in given else ""
    spoken += spell_cardinal(str(month)) + "月" if "m" in given else ""
    return spoken + (spell_cardinal(str(day)) + "日" if "d" in given else "")


def _say_time(text: str, form: str) -> str:
    if form not in {"", "hms12", "hms24"}:
        raise ValueError(f"format must be hms12 or hms24, not {form!r}.")
    match = _TIME.fullmatch(text)
    hour, minute, second = (int(match[part] or 0) for part in ("hour", "minute", "second")) if match else (99, 99, 99)
    if not match or hour > (12 if match["half"] else 24) or minute > 59 or second > 59:  # noqa: PLR2004 - a clock
        raise ValueError(f"time must be like 14:05, 14:05:30 or 2:05pm, not {text!r}.")
    spoken = _HALVES[match["half"][0].lower()] if match["half"] else ""
    spoken += ("两" if hour == 2 else spell_cardinal(str(hour))) + "点"  # noqa: PLR2004 - two o'clock is 两点
    if minute or second:
        spoken += ("零" if 0 < minute < 10 else "") + spell_cardinal(str(minute)) + "分"  # noqa: PLR2004
    else:
        spoken += "整"
    return spoken + (spell_cardinal(str(second)) + "秒" if second else "")


def _spell_out(text: str, _: str) -> str:
    """Spell out character by character. The spaces keep letters and numerals from being read as words."""
    return f" {' '.join(_name(char) for char in text if not char.isspace())} "


def _name(char: str) -> str:
    if char.isascii() and char.isdigit():
        return spell_digits(char)
    if char.isalpha():
        return char
    if char not in _SIGNS:
        raise ValueError(f"{char!r} has no name. Leave it out, or write what to say.")
    return _SIGNS[char]


_KINDS: dict[str, Callable[[str, str], str]] = {
    "digits": _say_digits,
    "cardinal": _say_cardinal,
    "ordinal": _say_ordinal,
    "date": _say_date,
    "time": _say_time,
    "telephone": _say_telephone,
    "characters": _spell_out,
    "spell-out": _spell_out,
}
