"""Untrusted text is shown without terminal control characters."""

import pytest

from tts_operator.printable import one_line


@pytest.mark.parametrize(
    "given, shown",
    [
        ("as it is: 您好 é 🙂", "as it is: 您好 é 🙂"),
        ("\x1b[31mred\x1b[0m", "[31mred [0m"),
        ("two\r\nlines\tand\u2028three", "two lines and three"),
        ("\x9b2J \x00\x07\x7f", "2J"),
        ("abc\u202edef\u2066ghi\u200b", "abc def ghi"),
        ("half \ud800 a pair", "half a pair"),
        (None, "None"),
        ("", ""),
    ],
)
def test_controls_are_left_out(given: object, shown: str) -> None:
    assert one_line(given, 100) == shown


def test_it_is_cut_at_either_end() -> None:
    assert one_line("abcdef", 6) == "abcdef"
    assert one_line("abcdefg", 6) == "abcde…"
    assert one_line("abcdefg", 6, end=True) == "...bcdefg"
    assert len(one_line("x" * 10_000_000, 600)) == 600
