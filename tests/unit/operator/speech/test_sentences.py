"""The texts of the speech check."""

from __future__ import annotations

import pytest

from tts_operator.api.rollout import TEXTS_MAX
from tts_operator.speech.sentences import (
    ENGLISH,
    MOST_CHARACTERS,
    default_texts,
    short_texts,
)


@pytest.mark.parametrize("language", ["zh-CN", "zh", "en", "en-GB", "fr", ""])
def test_the_defaults_keep_to_the_rules_for_users(language: str) -> None:
    texts = default_texts(language)
    assert 3 <= len(texts) <= TEXTS_MAX
    assert all(text.strip() and len(text) <= MOST_CHARACTERS for text in texts)


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
