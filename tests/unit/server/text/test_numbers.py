import pytest

from tts_server.text.numbers import spell_amount, spell_cardinal, spell_decimal, spell_digits


@pytest.mark.parametrize(
    "digits,spoken",
    [
        ("0", "零"),
        ("7", "七"),
        ("10", "十"),
        ("12", "十二"),
        ("20", "二十"),
        ("100", "一百"),
        ("102", "一百零二"),
        ("110", "一百一十"),
        ("222", "二百二十二"),
        ("1000", "一千"),
        ("1010", "一千零一十"),
        ("2002", "两千零二"),
        ("10000", "一万"),
        ("10010", "一万零一十"),
        ("20000", "两万"),
        ("100000", "十万"),
        ("110000", "十一万"),
        ("120304", "十二万零三百零四"),
        ("1000000", "一百万"),
        ("10000001", "一千万零一"),
        ("100000000", "一亿"),
        ("100010000", "一亿零一万"),
        ("200002000", "两亿零两千"),
        ("1234567890", "十二亿三千四百五十六万七千八百九十"),
        ("0042", "四十二"),
        ("12345678901234567", "一二三四五六七八九零一二三四五六七"),
    ],
)
def test_cardinal(digits: str, spoken: str) -> None:
    assert spell_cardinal(digits) == spoken


def test_decimal_reads_its_decimals_one_by_one() -> None:
    assert spell_decimal("3.140") == "三点一四零"
    assert spell_decimal("0.5") == "零点五"


def test_a_bare_two_that_counts() -> None:
    assert spell_amount("2") == "两"
    assert spell_amount("2.5") == "二点五"
    assert spell_amount("12") == "十二"


def test_digits_on_the_telephone() -> None:
    assert spell_digits("110") == "一一零"
    assert spell_digits("110", phone=True) == "幺幺零"
