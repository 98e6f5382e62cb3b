"""Arabic numerals in spoken Mandarin."""

_DIGITS = "零一二三四五六七八九"
_SMALL_UNITS = ("", "十", "百", "千")
_LARGE_UNITS = ("", "万", "亿", "万亿")
_MAX_CARDINAL_DIGITS = 16
_GROUP = 4


def spell_digits(digits: str, *, phone: bool = False) -> str:
    """Spell out digits one by one. In telephone numbers, 1 is 幺."""
    spoken = "".join(_DIGITS[int(digit)] for digit in digits)
    return spoken.replace("一", "幺") if phone else spoken


def spell_cardinal(digits: str) -> str:
    """Spell out a whole number: ``10200`` is 一万零二百. More than 16 digits are spelt one by one."""
    digits = digits.lstrip("0") or "0"
    if digits == "0":
        return "零"
    if len(digits) > _MAX_CARDINAL_DIGITS:
        return spell_digits(digits)
    groups = [digits[max(0, end - _GROUP) : end] for end in range(len(digits), 0, -_GROUP)]
    spoken = ""
    gap = False  # zeros skipped since the last spoken group
    for index in range(len(groups) - 1, -1, -1):
        group = groups[index].lstrip("0")
        if not group:
            gap = True
            continue
        if spoken and (gap or len(group) < _GROUP):
            spoken += "零"
        continues = bool(spoken) and not spoken.endswith("零")  # 一万二千, but 两亿零两千
        spoken += _spell_group(group, large=_LARGE_UNITS[index], continues=continues) + _LARGE_UNITS[index]
        gap = False
    # 一十二 is spoken as 十二, but only at the very start of a number.
    return spoken[1:] if spoken.startswith("一十") else spoken


def spell_decimal(number: str) -> str:
    """Spell out ``3.140``: the whole part as a cardinal, the decimals one by one, including trailing zeros."""
    whole, _, decimals = number.partition(".")
    return spell_cardinal(whole) + ("点" + spell_digits(decimals) if decimals else "")


def spell_amount(number: str) -> str:
    """Spell out a number that counts something, like :func:`spell_decimal`, but 2 alone is 两."""
    return "两" if number == "2" else spell_decimal(number)


def _spell_group(group: str, *, large: str, continues: bool) -> str:
    """Spell out one to four digits without leading zeros. ``continues`` if the number's larger digits precede."""
    spoken = ""
    gap = False
    for index, digit in enumerate(group):
        unit = _SMALL_UNITS[len(group) - 1 - index]
        if digit == "0":
            gap = True
            continue
        if gap and spoken:
            spoken += "零"
        gap = False
        # 两千, 两万, 两亿; but 二百, 二十, and 二 within a number.
        liang = digit == "2" and index == 0 and (unit == "千" or (unit == "" and large)) and not continues
        spoken += ("两" if liang else _DIGITS[int(digit)]) + unit
    return spoken
