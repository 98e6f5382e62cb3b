"""Numbers that are names: they are always read in one way, whatever they would be as quantities."""

import re

from tts_server.text.numbers import spell_cardinal, spell_digits
from tts_server.text.rules.rule import NOT_COUNTED, rule

_FESTIVALS = (
    "妇女节|劳动节|国庆|青年节|儿童节|植树节|情人节|教师节|护士节|建军节|建党节|光棍节|购物节|消费者|元旦|"
    "节(?![课车能目约奏]|电池)|假期|长假|小长假|黄金周|大促|晚会|购物|狂欢|促销|活动|"
    "事变|事件|运动|惨案|讲话|地震"
)


@rule(
    r"(?<![\d../·])(?P<month>\d{1,2})[·•・](?P<day>\d{1,2})(?![\d.·])",
    {"3·15晚会": "三一五晚会", "9·11": "九一一"},
)
def memorable_day(match: re.Match[str]) -> str:
    """A month and a day with a middle dot are the name of an event, read digit by digit."""
    return spell_digits(match["month"]) + spell_digits(match["day"])


@rule(
    rf"(?<![\d.])(?P<month>\d{{1,2}})[./](?P<day>\d{{1,2}})(?=(?:{_FESTIVALS}))",
    {"3.8节": "三八节", "6.18大促": "六一八大促"},
)
def festival(match: re.Match[str]) -> str:
    """A month and a day before the name of a festival, a sale or an event, read digit by digit."""
    return spell_digits(match["month"]) + spell_digits(match["day"])


@rule(
    rf"(?<![A-Za-z\d.])(?:(?<![共有达约价到比于=+*/、-])(?:996|007|985|211|618|911){NOT_COUNTED}"
    r"|(?:520|521|1314|5201314)(?=快乐|[表告]白|情人|礼[物盒]|红包|我爱你)"
    r"|315(?=投诉|打假|曝光|维权|行动|消费)|(?:58(?=同城|到家)|360(?=安全|浏览器|搜索|杀毒|公司|手机)))",
    {"996": "九九六", "985和211": "九八五和二一一", "520快乐": "五二零快乐", "58同城": "五八同城"},
)
def catchword(match: re.Match[str]) -> str:
    """Working hours (996), programmes for universities (985, 211), sales and days (618, 520), brands (58同城)."""
    return spell_digits(match[0])


@rule(
    r"(?<![\d.])\d{3}(?=(?:事件|大促|晚会|活动|工作制|高校|院校|大学|工程|计划|专案|中学|医院|大楼|大厦|国道|省道|高速|部队|高地|厂(?!家)|"
    r"胶水|木头人|艺术区|不锈钢|旅(?![客行游程店途馆社])))",
    {"911事件": "九一一事件", "985高校": "九八五高校", "318国道": "三一八国道"},
)
def numbered_institution(match: re.Match[str]) -> str:
    """Events, schools, hospitals, roads and factories that are named by three digits."""
    return spell_digits(match[0])


@rule(
    r"(?<![\d.])[1-5]\d{2}(?=(?:错误|报错|状态码|页面|异常|not found))", {"404错误": "四零四错误"}, flags=re.IGNORECASE
)
def http_status(match: re.Match[str]) -> str:
    """Status codes of HTTP."""
    return spell_digits(match[0])


@rule(
    r"(?<![\d./])(?:24/7|7 ?[x*×] ?24)(?P<hours> ?(?:h|小时))?(?![A-Za-z\d./])",
    {"24/7服务": "七乘二十四服务", "7x24h": "七乘二十四小时"},
)
def round_the_clock(match: re.Match[str]) -> str:
    """All day, every day."""
    return "七乘二十四" + ("小时" if match["hours"] else "")


@rule(r"(?<![\d./])80/20(?=法则|原则|定律|规则)", {"80/20法则": "八十二十法则"})
def pareto(_: re.Match[str]) -> str:
    """The rule that a fifth of the causes makes four fifths of the effects."""
    return "八十二十"


@rule(r"(?<![\d.-])7-11(?![\d.:-]|[月日号天个])", {"7-11便利店": "七十一便利店"})
def seven_eleven(_: re.Match[str]) -> str:
    """The chain of shops."""
    return "七十一"


@rule(r"(?<![\d.])(?P<low>\d{1,2})in(?P<high>\d{1,2})(?!\w)", {"2in1": "二in一"}, flags=re.IGNORECASE | re.ASCII)
def several_in_one(match: re.Match[str]) -> str:
    """``2in1`` on packages: not inches."""
    return f"{spell_cardinal(match['low'])}in{spell_cardinal(match['high'])}"
