"""Latin letters and words in Mandarin syllables.

The voice has learnt Mandarin only, so English comes out as a Chinese speaker spells it aloud: a few common words by
their usual Chinese sound, everything else letter by letter. Nothing is dropped.
"""

_LETTERS: dict[str, tuple[str, ...]] = {
    "a": ("ei1",),
    "b": ("bi4",),
    "c": ("xi1",),
    "d": ("di4",),
    "e": ("yi4",),
    "f": ("ai2", "fu5"),
    "g": ("ji4",),
    "h": ("ei1", "chi5"),
    "i": ("ai4",),
    "j": ("zhei4",),
    "k": ("kei4",),
    "l": ("ai2", "lou5"),
    "m": ("ai2", "mu5"),
    "n": ("en1",),
    "o": ("ou1",),
    "p": ("pi4",),
    "q": ("kiu1",),
    "r": ("a4", "er5"),
    "s": ("ai2", "si5"),
    "t": ("ti4",),
    "u": ("you1",),
    "v": ("wei1",),
    "w": ("da2", "bu5", "liu5"),
    "x": ("ai2", "ke5", "si5"),
    "y": ("wai4",),
    "z": ("zei4",),
}

_WORDS: dict[str, str] = {
    "ok": "ou1 kei4",
    "hi": "hai1",
    "hello": "ha1 lou5",
    "bye": "bai2 bai2",
    "yes": "ye2 si5",
    "no": "nou4",
    "email": "yi4 mei2 er5",
    "mail": "mei2 er5",
    "iphone": "ai4 feng1",
    "wifi": "wai1 fai4",
    "wi-fi": "wai1 fai4",
    "google": "gu3 ge1",
    "android": "an1 zhuo1",
    "windows": "wen1 dou5 si5",
    "python": "pai4 sen1",
    "java": "zha1 wa3",
    "linux": "li2 nei4 ke4 si5",
    "docker": "dao1 ke4 er5",
    "microsoft": "wei1 ruan3",
    "facebook": "fei1 si5 bu4 ke4",
    "tesla": "te4 si1 la1",
    "bug": "ba1 ge5",
    "vs": "wei1 ai2 si5",
    "happy": "hai1 pi4",
    "good": "gu3 de5",
    "cool": "ku4",
    "baby": "bei4 bi3",
    "party": "pa4 ti4",
    "show": "xiu4",
    "logo": "lou2 gou4",
    "demo": "di2 mou4",
    "video": "wei1 di4 ou1",
    "taxi": "tai4 ke4 xi1",
    "model": "mo2 te4 er5",
    "the": "ze5",
    "and": "an1 de5",
    "you": "you1",
    "thank": "san1 ke4",
    "thanks": "san1 ke4 si5",
    "world": "wo4 de5",
}


def say_latin(word: str) -> list[str]:
    """Return the syllables (pinyin with the tone's number) of a word of ASCII letters, in any case."""
    word = word.lower()
    if word in _WORDS:
        return _WORDS[word].split()
    return [syllable for letter in word for syllable in _LETTERS.get(letter, ())]


def is_word(word: str) -> bool:
    """Tell whether the word is said as a word and not letter by letter."""
    return word.lower() in _WORDS
