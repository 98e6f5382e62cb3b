"""Identifiers, read digit by digit: codes, accounts, rooms, plates, addresses of the internet."""

import re

from tts_server.text.numbers import spell_cardinal, spell_digits
from tts_server.text.rules.rule import NOT_CLEARLY_COUNTED, NOT_COUNTED, rule

_GROUPED = r"(?P<code>[A-Za-z]{0,6}-?\d+(?:-\d+){0,5})"
_IS = r"[是为: ]{0,3}[\[【(“「]?"
# Words that announce an identifier, and nothing else. 尺码, 页码 and 起码 are none.
_CERTAIN = (
    "验证码|校验码|动态码|激活码|兑换码|邀请码|取件码|取货码|提货码|提取码|识别码|授权码|安全码|口令|条形?码|条码|"
    "序列码|券码|核销码|机器码|邮编|邮政编码|邮码|区号|单号|工单号|流水号|序列号|合同号|保单号|尾号|后四位|账号|帐号|"
    "账户|卡号|户号|会员号|会员卡|学号|工号|员工号|警号|车牌号?|门牌号?|房号|房间号|座位号|座号|柜号|箱号|桌号|台号|"
    "QQ群?号?|微信号?|身份证号?码?|证号|群号|案号|批号|货号|款号|档案号|股票代码|基金代码|证券代码|代码|端口号?|"
    "[\u4e00-\u9fff](?<![起尺页数筹砝号密编解])码|会议号|直播间号?|订单编号|商品编号|航班号"
)
# Words that announce an identifier if nothing is counted: 房间1203, but 房间20间.
_LIKELY = (
    "沪市|深市|港股|美股|号码|编码|编号|密码|房间|股票|基金|债券|工单|订单|运单|保单|快递|单元|会员|"
    "代号|型号|病历|档案|机号|账单|包裹|包厢|包间|航班|车次"
)
_PROVINCES = "京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼"


def _say_groups(code: str) -> str:
    groups = re.findall(r"[A-Za-z]+|\d+|-", code)
    return "".join("," if each == "-" else spell_digits(each) if each.isdigit() else each for each in groups)


def _is_code(code: str) -> bool:
    """Whether it is long enough: 密码2 may be the second password."""
    return sum(map(str.isdigit, code)) > 1


@rule(
    r"(?<![\d.-])\d{4}(?: \d{4}){2,4}(?: \d{1,3})?(?![\d.])",
    {"6222 0212 3456 7890": "六二二二,零二一二,三四五六,七八九零"},
)
def card_number(match: re.Match[str]) -> str:
    """A card number in groups of four digits."""
    return ",".join(spell_digits(part) for part in match[0].split())


@rule(
    r"(?P<label>(?:[行用记蓄]卡|卡号|[账帐][号户])[是为: ]{0,2})(?P<groups>\d{4} \d{4})(?![\d.]| \d)",
    {"银行卡6222 0212": "银行卡六二二二,零二一二"},
)
def card_beginning(match: re.Match[str]) -> str:
    """Two groups of a card number after its name."""
    return match["label"] + ",".join(spell_digits(part) for part in match["groups"].split())


@rule(
    rf"(?P<label>(?:{_CERTAIN})(?:号码)?{_IS}){_GROUPED}{NOT_CLEARLY_COUNTED}",
    {"验证码是083421": "验证码是零八三四二一", "邮编100080": "邮编一零零零八零", "尺码38": "尺码三十八"},
    flags=re.IGNORECASE,
)
def labelled_code(match: re.Match[str]) -> str | None:
    """An identifier after its name."""
    return match["label"] + _say_groups(match["code"]) if _is_code(match["code"]) else None


@rule(
    rf"(?P<label>(?:{_LIKELY})号?{_IS}){_GROUPED}{NOT_COUNTED}",
    {"股票600519": "股票六零零五一九", "密码10位": "密码十位", "房间20间": "房间二十间"},
)
def likely_code(match: re.Match[str]) -> str | None:
    """An identifier after a word that is mostly followed by one, unless the number counts something."""
    return match["label"] + _say_groups(match["code"]) if _is_code(match["code"]) else None


@rule(
    r"(?<![\d.])\d{3,4}(?=号?(?:房(?!源)|室|宿舍|教室|病房|包[间厢房])|号(?:会议室|病床|桌|机|柜|楼))",
    {"1203号房": "一二零三号房", "502房间": "五零二房间"},
)
def room(match: re.Match[str]) -> str:
    """The number of a room."""
    return spell_digits(match[0])


@rule(
    r"(?<=[座栋幢楼])(?P<room>\d{3,4})" + NOT_COUNTED,
    {"A座1502": "A座一五零二"},
)
def room_of_building(match: re.Match[str]) -> str:
    """The number of a room after its building."""
    return spell_digits(match["room"])


@rule(r"(?<![\d.])\d{3}(?=路(?!人马|程|费))", {"302路": "三零二路"})
def bus_line(match: re.Match[str]) -> str:
    """A bus line of three digits."""
    return spell_digits(match[0])


@rule(
    rf"(?<=[{_PROVINCES}])(?P<letter>[A-Z])[-·•. ]?(?P<rest>(?=[A-Z]{{0,3}}\d)[A-Z\d]{{4,6}})(?![A-Za-z\d])",
    {"京A·88888": "京A八八八八八", "粤B2K345": "粤B二K三四五"},
)
def number_plate(match: re.Match[str]) -> str:
    """The number plate of a car."""
    return match["letter"] + "".join(spell_digits(each) if each.isdigit() else each for each in match["rest"])


@rule(
    r"(?<![\d.])(?P<host>\d{1,3}(?:\.\d{1,3}){3})(?::(?P<port>\d{1,5}))?(?![\d.])",
    {"192.168.1.1": "一九二点一六八点一点一"},
)
def internet_address(match: re.Match[str]) -> str:
    """An IPv4 address, and perhaps a port."""
    host = "点".join(spell_digits(part) for part in match["host"].split("."))
    return host + (f"端口{spell_digits(match['port'])}" if match["port"] else "")


@rule(
    r"(?<![\d.])(?<!\w-)\d{2,32}(?=@|\.(?:com|cn|net|org|edu|gov|top|vip|cc|io)(?![A-Za-z]))"
    r"|(?<=www\.)\d{1,32}(?=[.A-Za-z])",
    {"www.12306.cn": "www点一二三零六点cn", "12345678@qq.com": "一二三四五六七八艾特qq点com"},
    flags=re.IGNORECASE,
)
def address(match: re.Match[str]) -> str:
    """Digits in the address of a web site or a mailbox."""
    return spell_digits(match[0])


@rule(r"(?<![\d.])\d+(?:\.\d+){2,}(?!\d)", {"版本1.2.3": "版本一点二点三"})
def version(match: re.Match[str]) -> str:
    """A version of three or more numbers."""
    return "点".join(spell_cardinal(part) for part in match[0].split("."))


@rule(
    r"(?<![\d.-])\d{1,8}(?:-\d{1,8}){2,6}(?![\d.-])",
    {"978-7-111-40772-3": "九七八,七,一一一,四零七七二,三"},
)
def hyphenated_code(match: re.Match[str]) -> str:
    """Three or more groups of digits with hyphens, as in an ISBN."""
    return _say_groups(match[0])


@rule(
    r"(?<![\d.])(?:240|360|480|540|720|1080|1440|2160|4320)(?P<scan>[pPiI])(?![A-Za-z\d])",
    {"1080p": "一零八零p"},
)
def video_format(match: re.Match[str]) -> str:
    """The lines of a video format."""
    return spell_digits(match[0][:-1]) + match["scan"]


@rule(
    r"(?<![\d.])(?P<width>\d{3,4}) ?[x*×] ?(?P<height>\d{3,4})(?![\d.]|[张个米cm])",
    {"1920×1080": "一九二零乘一零八零"},
)
def resolution(match: re.Match[str]) -> str:
    """The pixels of a picture or a screen."""
    return f"{spell_digits(match['width'])}乘{spell_digits(match['height'])}"


@rule(
    r"(?<=波音|空客|米格|宝马|奔驰|奥迪|标致|捷豹|麦道|骁龙|麒麟|天玑|酷睿)(?P<gap>[- ]?)(?P<digits>\d{3,5})"
    + NOT_COUNTED,
    {"波音737": "波音七三七"},
)
def model_number(match: re.Match[str]) -> str:
    """The number of a model after its maker."""
    return spell_digits(match["digits"])


@rule(r"(?<=[A-Z]{2}) (?P<digits>\d{3,5})" + NOT_COUNTED, {"ISO 9001": "ISO九零零一"})
def standard(match: re.Match[str]) -> str:
    """The number of a standard or a model after capital letters."""
    return spell_digits(match["digits"])


@rule(r"(?<=[A-Za-z])(?P<hyphen>-?)(?P<digits>\d{3,32})(?![\d.])", {"CA1831航班": "CA一八三一航班"})
def letters_and_digits(match: re.Match[str]) -> str:
    """Three or more digits after a letter, as in trains, flights and models."""
    return (" " if match["hyphen"] else "") + spell_digits(match["digits"])
