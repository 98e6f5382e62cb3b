from decimal import Decimal

import pytest

from tts_operator.api.quantity import quantity


@pytest.mark.parametrize(
    "spellings",
    [
        ("1", 1, 1.0, "1.0", "1.", "+1", "1000m", "1e0", "0.001k", "1000000u", "1000000000n"),
        ("500m", 0.5, ".5", "0.50", "5e-1"),
        ("2Gi", "2048Mi", "2097152Ki", str(2**31)),
        ("1k", "1e3", "1E3", 1000, "1000"),
        ("1M", "1000k", "1e6"),
        ("1E", "1000P", "1e18"),
        ("1Ei", "1024Pi"),
        ("0", 0, "0m", "-0", "0Gi"),
        ("-1", "-1000m", -1),
    ],
)
def test_spellings_of_one_value(spellings: tuple[str | float, ...]) -> None:
    assert {quantity(spelling) for spelling in spellings} == {quantity(spellings[0])}


@pytest.mark.parametrize(
    "text, value",
    [("1n", "1e-9"), ("1u", "1e-6"), ("1m", "1e-3"), ("1Ki", "1024"), ("1T", "1e12"), ("1Ti", str(2**40))],
)
def test_suffixes(text: str, value: str) -> None:
    assert quantity(text) == Decimal(value)


@pytest.mark.parametrize("smaller, larger", [("1M", "1Mi"), ("999m", "1"), ("1G", "1Gi"), ("1023Mi", "1Gi")])
def test_order(smaller: str, larger: str) -> None:
    assert quantity(smaller) < quantity(larger)


@pytest.mark.parametrize(
    "text", ["", " ", "m", "Gi", ".", "1.2.3", "1 Gi", "1gi", "1K", "1e", "1e3k3", "one", "True", "NaN", "٣", "1\n"]
)
def test_what_is_none_says_what_to_write(text: str) -> None:
    with pytest.raises(ValueError, match="is no quantity"):
        quantity(text)
