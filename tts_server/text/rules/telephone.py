"""Telephone numbers. The digit 1 is 幺 in them."""

import re

from tts_server.text.numbers import spell_digits
from tts_server.text.rules.rule import NOT_COUNTED, rule

_SERVICE = r"1(?:10|19|20|22|14)|1\d{4}|95\d{3}|96\d{3,4}"


@rule(
    r"(?<![\d.])(?:\+?86[- ]?)?1[3-9]\d(?P<sep>[- ]?)\d{4}(?P=sep)\d{4}(?!\d)"
    r"|(?<![\d.])(?:\+86[- ]?)?(?:\(0\d{2,3}\) ?-?|0\d{2,3}[- ])\d{3,4}[- ]?\d{4}(?:-\d{1,6})?(?!\d)"
    r"|(?<![\d.])[48]00[- ]?\d{3}[- ]?\d{4}(?!\d)"
    r"|(?<![\w)])\+\d{1,3}[- ]?\(?\d{2,4}\)?(?:[- ]\d{2,8}){1,4}(?!\d)",
    {
        "138-1234-5678": "幺三八,幺二三四,五六七八",
        "(010)12345678": "零幺零,幺二三四五六七八",
        "400-800-8820": "四零零,八零零,八八二零",
        "+86 13812345678": "加八六,幺三八幺二三四五六七八",
    },
)
def telephone(match: re.Match[str]) -> str:
    """Mobile, landline, service and foreign numbers, with a pause between their groups."""
    groups = ",".join(spell_digits(group, phone=True) for group in re.findall(r"\d+", match[0]))
    return ("加" if match[0].startswith("+") else "") + groups


@rule(
    r"(?<!\d)(?P<first>\d{2,6})(?P<hidden>\*{2,12})(?P<last>\d{2,6})(?!\d)", {"138****8000": "幺三八星星星星八零零零"}
)
def masked_number(match: re.Match[str]) -> str:
    """A number of which a part is hidden."""
    first, last = spell_digits(match["first"], phone=True), spell_digits(match["last"], phone=True)
    return first + "星" * len(match["hidden"]) + last


@rule(
    r"(?<![\w*#])(?:\*[*#]?|##)\d{1,12}(?:[*#]\d{1,12}){0,4}#",
    {"输入*67#": "输入星六七井", "*#06#": "星井零六井"},
    flags=re.ASCII,
)
def keys(match: re.Match[str]) -> str:
    """Keys of a telephone that are pressed one after the other."""
    return "".join({"*": "星", "#": "井"}.get(key) or spell_digits(key, phone=True) for key in match[0])


@rule(
    r"(?P<label>(?:热线|电话|客服|拨打|致电|呼叫|分机|(?<![旋运扭周翻])转|拨)(?:号码?)?[是为: ]{0,2})"
    r"(?P<number>\d{3,12})" + NOT_COUNTED,
    {"请转8001": "请转八零零幺", "请拨打110": "请拨打幺幺零", "电话500部": "电话五百部", "旋转180°": "旋转一百八十度"},
)
def number_to_dial(match: re.Match[str]) -> str:
    """A number after a word for calling. A number that counts something is none: ``转500块``."""
    return match["label"] + spell_digits(match["number"], phone=True)


@rule(
    rf"(?<=打)(?:{_SERVICE}){NOT_COUNTED}"
    r"|(?<![A-Za-z\d.,])(?:\d{3,8}(?=(?:服务|客服|投诉|举报)?热线|客服|火警|报警|急救|消防|救护|接警)"
    rf"|(?:10086|10010|10001|12306|12315|12345|12348|12368|12333|95\d{{3}})(?!,){NOT_COUNTED})",
    {"12345热线": "幺二三四五热线", "119火警": "幺幺九火警", "打120": "打幺二零"},
)
def service_number(match: re.Match[str]) -> str:
    """Numbers of public services, of carriers and of banks."""
    return spell_digits(match[0], phone=True)
