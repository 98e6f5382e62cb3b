"""What the speech check has a new version speak if the spec names no texts."""

MOST_CHARACTERS = 500
"""Longest text; also the server's default limit (server.maxInputCharacters)."""

MANDARIN = (
    "您好，欢迎使用语音合成服务。",
    "妈妈种麻，我去放马，马慢妈骂马。",
    "天空渐渐暗下来，雨点打在窗户上；她合上书，走到窗边，看着街上匆匆忙忙的行人。",
)
"""A greeting; the tones; length, with commas and a semicolon."""
MIXED = ("您好，您的验证码是834521，请在5分钟内输入。", "这个API支持OpenAI的客户端，也支持WiFi。")
"""Digits one by one, and as a number; Latin letters."""
ENGLISH = (
    "Hello, and welcome to our service.",
    "The quick brown fox jumps over the lazy dog.",
    "It is ten past four on Monday, and the temperature is minus twelve degrees.",
)
_BY_LANGUAGE = {"zh": (*MANDARIN, MIXED[0]), "en": ENGLISH}


def default_texts(language: str = "zh-CN", *, max_characters: int = MOST_CHARACTERS) -> tuple[str, ...]:
    """Return the sentences for a voice of this BCP 47 language; for languages other than zh and en, those for zh.

    Omits sentences longer than `max_characters`, the server's limit. If none remains, cuts the shortest.
    """
    texts = _BY_LANGUAGE.get(language.partition("-")[0].lower(), _BY_LANGUAGE["zh"])
    fitting = tuple(text for text in texts if len(text) <= max_characters)
    return fitting or (min(texts, key=len)[:max_characters],)


def short_texts(count: int, language: str = "zh-CN") -> tuple[str, ...]:
    """Return numbers as words of two or three syllables, up to 81 different ones, so that no cache serves them."""
    if language.lower().startswith("en"):
        return tuple(f"number {number % 81 + 10}" for number in range(count))
    digits = "一二三四五六七八九"
    return tuple(f"{digits[number // 9 % 9]}十{digits[number % 9]}" for number in range(count))
