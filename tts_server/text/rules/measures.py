"""Numbers with a unit: temperatures, angles, lengths, and the short forms k and w for thousands and ten thousands."""

import re
from decimal import Decimal

from tts_server.text.numbers import spell_amount, spell_cardinal, spell_decimal, spell_digits
from tts_server.text.rules.rule import HANZI, NOT_AFTER_DIGIT, NUMBER, UNIT_NAMES, any_of, rule
from tts_server.text.units import UNITS, say_unit

_TEN_THOUSANDS = "元|块|人|粉|阅读|播放|浏览|点赞|用户|件|单|次|年薪|月薪|存款|以[上下]|左右|多|字|家|台|公里|步"
_LONG_UNITS = any_of({name: spoken for name, spoken in UNITS.items() if len(name) > 1})
_VIDEO = "屏|电视|画质|分辨率|视频|超清|高清|蓝光|显示|投影|摄像"
_DECIMALS_OF_A_THOUSAND = 3
_INCOME = (
    "薪|资|[年月]入|身[家价]|资产|估值|投资|[售业]额|业绩|粉丝|阅读|播放|销量|浏览|点赞|收入|存款|预算|贷款|"
    "房价|赚|花了?|奖金|超过?|破|近|达到?|彩礼|首付"
)
# A capital letter before one of these is a grade or a name, not a unit: 5A景区, 13A楼, 4S店.
_GRADED = "级|景区|楼|座|栋|号|口|门|店|出口|型|类|股|班|证|轮|区|排|铅笔|纸|大作|游戏"


@rule(
    rf"(?P<low_sign>(?<![\dA-Za-z])-)?(?P<low>{NUMBER})(?:°[CF]?)? ?[-~到至] ?"
    rf"(?P<high_sign>-)?(?P<high>\d+(?:\.\d+)?) ?°(?P<scale>[CF])",
    {"10~20℃": "十到二十摄氏度", "-5℃~3℃": "零下五到三摄氏度"},
)
def temperature_range(match: re.Match[str]) -> str:
    """From one temperature to another."""
    low = ("零下" if match["low_sign"] else "") + spell_decimal(match["low"])
    high = ("零下" if match["high_sign"] else "") + spell_decimal(match["high"])
    return f"{low}到{high}{'华氏度' if match['scale'] == 'F' else '摄氏度'}"


@rule(
    r"(?<=温)-(?=\d{1,3}(?:\.\d)?(?:度|[到至~-]-?\d))",
    {"气温-5度": "气温零下五度", "气温-5到3度": "气温零下五到三度"},
)
def below_zero(_: re.Match[str]) -> str:
    """A minus sign after a word for temperatures."""
    return "零下"


@rule(
    rf"(?P<sign>(?<![\dA-Za-z])-)?(?P<number>{NUMBER}) ?°(?P<scale>[CF](?![A-Za-z]))?",
    {"-5℃": "零下五摄氏度", "旋转180°": "旋转一百八十度"},
)
def degrees(match: re.Match[str]) -> str:
    """A temperature or an angle."""
    scale = {"C": "摄氏度", "F": "华氏度", None: "度"}[match["scale"]]
    return f"{'零下' if match['sign'] else ''}{spell_decimal(match['number'])}{scale}"


@rule(
    rf"(?P<only_seconds>{NUMBER})(?:″|′′)|(?P<minutes>{NUMBER})[′'](?:(?P<seconds>\d+(?:\.\d+)?)(?:″|′′|\"|''))?",
    {"北纬39°54′": "北纬三十九度五十四分", "5′30″": "五分三十秒"},
)
def minutes_and_seconds(match: re.Match[str]) -> str | None:
    """Minutes and seconds, of an angle or of time, written with primes."""
    if match["only_seconds"]:
        return f"{spell_decimal(match['only_seconds'])}秒"
    if "'" in match[0] and not match["seconds"]:
        return None
    seconds = f"{spell_decimal(match['seconds'])}秒" if match["seconds"] else ""
    return f"{spell_decimal(match['minutes'])}分{seconds}"


@rule(
    NOT_AFTER_DIGIT + rf"(?P<number>\d{{1,3}})(?P<grade>[A-Z])(?=(?:{_GRADED}))",
    {"5A景区": "五A景区", "13A楼": "十三A楼", "4S店": "四S店"},
)
def grade(match: re.Match[str]) -> str:
    """A number and a letter that name a grade, a floor or a kind."""
    return spell_cardinal(match["number"]) + match["grade"]


@rule(
    NOT_AFTER_DIGIT + r"(?P<number>\d{1,2})[kK](?=(?:金|纯金|黄金|白金|铂金|玫瑰金|镀金))",
    {"18k金": "十八K金"},
)
def carats(match: re.Match[str]) -> str:
    """The fineness of gold."""
    return spell_cardinal(match["number"]) + "K"


@rule(
    NOT_AFTER_DIGIT + r"(?P<generation>[2-6])[gG](?=(?:网络|流量|信号|手机|套餐|时代|基站|卡))",
    {"2g流量": "二G流量"},
)
def mobile_network(match: re.Match[str]) -> str:
    """A generation of mobile networks, not grams."""
    return spell_cardinal(match["generation"]) + "G"


@rule(
    rf"(?P<low>{NUMBER})(?P<unit>[kKwW]?) ?[-~到至] ?(?P<high>\d+(?:\.\d+)?)(?P<scale>[kKwW])"
    rf"(?![A-Za-z\d]|{_VIDEO}|灯|功率|快充|充电|电)",
    {"15K-20K": "一万五千到两万", "20-30w": "二十万到三十万"},
)
def range_of_thousands(match: re.Match[str]) -> str | None:
    """A range of k or w, as of incomes."""
    if match["unit"].casefold() not in {"", match["scale"].casefold()}:
        return None
    factor = 1000 if match["scale"] in "kK" else 10_000
    low, high = (Decimal(match[bound]) * factor for bound in ("low", "high"))
    if low != int(low) or high != int(high):
        return None
    return f"{spell_cardinal(str(int(low)))}到{spell_cardinal(str(int(high)))}"


@rule(
    rf"(?P<number>{NUMBER})(?:(?<!功率\d)(?<!功率\d\d)w(?![A-Za-z\d]|灯|功率|快充|充电|电)|W(?=\+|{_TEN_THOUSANDS}))",
    {"10w元": "十万元", "10W+": "十万加"},
)
def ten_thousands(match: re.Match[str]) -> str:
    """w for 万. A capital W is watts, except before + and before what is counted in ten thousands."""
    return spell_amount(match["number"]) + "万"


@rule(
    rf"(?P<number>{NUMBER})(?:k(?![A-Za-z\d]|{_VIDEO})|K(?=\+|{_TEN_THOUSANDS}))",
    {"15k": "一万五千", "3k": "三千", "4k视频": "四k视频"},
)
def thousands(match: re.Match[str]) -> str | None:
    """k for thousands. A capital K is left alone, except before + and before what is counted in thousands."""
    whole, _, decimals = match["number"].partition(".")
    if len(decimals) > _DECIMALS_OF_A_THOUSAND:
        return None
    return spell_cardinal(whole + decimals.ljust(_DECIMALS_OF_A_THOUSAND, "0"))


@rule(
    rf"(?P<label>(?:{_INCOME})[了约是为:]? ?)(?P<number>\d+(?:\.\d+)?)(?P<scale>[WK])(?![A-Za-z\d]|{_VIDEO})",
    {"粉丝20W": "粉丝二十万", "月薪15K": "月薪一万五千"},
)
def thousands_of_income(match: re.Match[str]) -> str:
    """W for 万 and K for thousands after a word for incomes or audiences."""
    thousands = Decimal(match["number"]) * 1000
    if match["scale"] == "K" and thousands == int(thousands):
        return f"{match['label']}{spell_cardinal(str(int(thousands)))}"
    return f"{match['label']}{spell_amount(match['number'])}{'万' if match['scale'] == 'W' else 'K'}"


@rule(
    NOT_AFTER_DIGIT
    + rf"(?P<number>\d)(?P<unit>m(?=\d{{2}})|米)(?P<rest>\d{{1,2}})(?![\d.]|(?:{UNIT_NAMES}|[米厘分毫%:x*×-]))",
    {"1m75": "一米七五", "身高1米8": "身高一米八"},
)
def height(match: re.Match[str]) -> str:
    """Metres, and digits for the rest."""
    rest = match["rest"].rstrip("0") or "零"
    return f"{spell_amount(match['number'])}米{spell_digits(rest)}"


@rule(
    rf"(?<![A-Za-z])(?P<number>{NUMBER}) ?(?P<unit>{UNIT_NAMES})(?:/(?P<per>{UNIT_NAMES}))?(?![A-Za-zΑ-ω])",
    {"120km/h": "一百二十公里每小时", "5m²": "五平方米", "2kg": "两公斤", "3000r/min": "三千转每分钟"},
)
def unit(match: re.Match[str]) -> str:
    """A number with a unit, or with one unit per another."""
    return spell_amount(match["number"]) + say_unit(match["unit"], match["per"])


@rule(
    rf"(?<![A-Za-z\d])(?:(?P<unit>{_LONG_UNITS}|m|g)/(?P<per>{UNIT_NAMES})|(?P<area>(?:平方|立方)[kcdm]?m))(?![A-Za-zΑ-ω\d])",
    {"㎡": "平方米", "g/cm³": "克每立方厘米"},
)
def bare_unit(match: re.Match[str]) -> str:
    """A unit without a number, if nothing else is written like it."""
    return say_unit(match["area"] or match["unit"], match["per"])


@rule(
    rf"(?<=[元角分块次个人{HANZI}])/(?P<per>{UNIT_NAMES})(?![A-Za-zΑ-ω\d])",
    {"元/㎡": "元每平方米", "60次/min": "六十次每分钟"},
)
def per_unit(match: re.Match[str]) -> str:
    """A price or a rate per unit."""
    return f"每{UNITS[match['per']]}"
