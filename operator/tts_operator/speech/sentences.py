"""What the gate lets a new version say where the spec names no texts."""

from collections.abc import Sequence

MOST_TEXTS = 10
MOST_CHARACTERS = 500
"""Of a text; also the server's own limit, unless server.maxInputCharacters sets a lower one."""
MOST_REPEATS = 200

MANDARIN = (
    "您好，欢迎使用语音合成服务。",
    "妈妈种麻，我去放马，马慢妈骂马。",
    "天空渐渐暗下来，雨点打在窗户上；她合上书，走到窗边，看着街上匆匆忙忙的行人。",
)
"""A greeting; the tones; length, with commas and a semicolon."""
MIXED = ("您好，您的验证码是834521，请在5分钟内输入。", "这个API支持OpenAI的客户端，也支持WiFi。")
"""Digits one by one and as a number; Latin letters."""
ENGLISH = (
    "Hello, and welcome to our service.",
    "The quick brown fox jumps over the lazy dog.",
    "It is ten past four on Monday, and the temperature is minus twelve degrees.",
)
_BY_LANGUAGE = {"zh": (*MANDARIN, MIXED[0]), "en": ENGLISH}


def default_texts(language: str = "zh-CN", *, max_characters: int = MOST_CHARACTERS) -> tuple[str, ...]:
    """The sentences for a voice of this BCP 47 language; of other languages than zh and en those for zh.

    `max_characters` is what the server takes: longer ones are left out, and if none is left, the shortest is cut.
    """
    texts = _BY_LANGUAGE.get(language.partition("-")[0].lower(), _BY_LANGUAGE["zh"])
    fitting = tuple(text for text in texts if len(text) <= max_characters)
    return fitting or (min(texts, key=len)[:max_characters],)


def short_texts(count: int, language: str = "zh-CN") -> tuple[str, ...]:
    """Numbers as words of two or three syllables, each another text, so that no cache answers; at most 81 differ."""
    if language.lower().startswith("en"):
        return tuple(f"number {number % 81 + 10}" for number in range(count))
    digits = "一二三四五六七八九"
    return tuple(f"{digits[number // 9 % 9]}十{digits[number % 9]}" for number in range(count))


def problem_with(texts: Sequence[str], *, max_characters: int = MOST_CHARACTERS) -> str | None:
    """What is wrong with texts that a user gave, and what to write instead; None where nothing is."""
    limit = min(max_characters, MOST_CHARACTERS)
    if len(texts) > MOST_TEXTS:
        return f"{len(texts)} texts; the speech check takes at most {MOST_TEXTS}: keep the most telling ones"
    for number, text in enumerate(texts):
        if not text.strip():
            return f"texts[{number}] is empty; write a sentence that the new version should say, or leave it out"
        if len(text) > limit:
            return f"texts[{number}] has {len(text)} characters; at most {limit} are spoken: shorten or split it"
    return None
