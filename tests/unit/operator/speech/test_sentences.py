"""The texts of the gate."""

from __future__ import annotations

import pytest

from tts_operator.speech.sentences import (
    ENGLISH,
    MOST_CHARACTERS,
    MOST_TEXTS,
    default_texts,
    problem_with,
    short_texts,
)


@pytest.mark.parametrize("language", ["zh-CN", "zh", "en", "en-GB", "fr", ""])
def test_the_defaults_keep_to_the_rules_for_users(language: str) -> None:
    texts = default_texts(language)
    assert 3 <= len(texts) <= MOST_TEXTS
    assert problem_with(texts) is None


def test_defaults_by_language() -> None:
    assert default_texts("en-US") == ENGLISH
    assert default_texts("fr") == default_texts("zh-CN")
    assert any(char.isdecimal() for text in default_texts() for char in text)


def test_a_server_with_a_low_limit() -> None:
    assert all(len(text) <= 20 for text in default_texts(max_characters=20))
    assert [len(text) for text in default_texts(max_characters=5)] == [5]


@pytest.mark.parametrize("language", ["zh-CN", "en"])
def test_short_texts_differ(language: str) -> None:
    assert len(set(short_texts(81, language))) == 81
    assert short_texts(0, language) == ()


@pytest.mark.parametrize(
    "texts, limit, said",
    [
        (["您好"] * 11, 500, "11 texts; the speech check takes at most 10"),
        (["您好", " "], 500, "texts[1] is empty; write a sentence"),
        (["好" * 501], 1000, "texts[0] has 501 characters; at most 500 are spoken: shorten or split it"),
        (["好" * 101], 100, "texts[0] has 101 characters; at most 100"),
    ],
)
def test_texts_of_users_are_refused_with_the_cure(texts: list[str], limit: int, said: str) -> None:
    assert said in (problem_with(texts, max_characters=limit) or "")


def test_texts_at_the_limit_are_taken() -> None:
    assert problem_with(["好" * MOST_CHARACTERS] * MOST_TEXTS) is None
