"""Syllables and words of text in any script, as far as they bound the length of a request and of its audio. Pure."""

import re

# A character each: Chinese characters, kana and Hangul. Letters of other scripts come in words.
_CHARACTER = r"[\u3007\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\U00020000-\U0003ffff]"
_UNIT = re.compile(rf"{_CHARACTER}|[^\W_]+?(?={_CHARACTER}|[\W_]|\Z)")
_WORD = re.compile(rf"{_CHARACTER}|(?:(?!{_CHARACTER})[^\W_])+(?:[-'’](?:(?!{_CHARACTER})[^\W_])+)*|.", re.DOTALL)
# English has about three letters a syllable.
_LETTERS_PER_SYLLABLE = 3


def syllables(text: str) -> int:
    """Return about how many syllables a text has, 0 if nothing in it can be said."""
    return sum(map(_syllables_of, _UNIT.findall(text)))


def words(text: str) -> list[str]:
    """Split text between its words, and Chinese between its characters. Joined, they are the text."""
    return _WORD.findall(text)


def _syllables_of(unit: str) -> int:
    """Return the syllables of a character or a word. Capitals and digits are read one by one."""
    if unit.isupper() or unit.isdigit():
        return len(unit)
    return -(-len(unit) // _LETTERS_PER_SYLLABLE)
