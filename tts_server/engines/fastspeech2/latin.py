"""Latin letters and words in Mandarin syllables.

The voice has learnt only Mandarin. So it speaks English as a Chinese speaker would spell it out: common words as they
sound in Chinese, everything else letter by letter. Nothing is dropped.
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
    word: reading
    for word, _, reading in (
        entry.strip().partition(" ")
        for entry in """
ok ou1 kei4|okay ou1 kei4|hi hai1|hello ha1 lou5|hey hei1|bye bai2 bai2|goodbye gu2 de5 bai4|yes ye2 si5|no nou4
not na4 te5|please pu4 li4 si5|sorry suo4 rui5|thank san1 ke4|thanks san1 ke4 si5|welcome wei2 er5 ken5|you you1
your you4 er5|i ai4|me mi4|my mai4|we wei4|he xi1|she xi4|it yi4 te5|is yi4 zi5|are a4|am ai4 mu5|be bi4|do du4
don't dong4 te5|can kai1 en5|will wei4 er5|the ze5|an an1|and an1 de5|or ao4|of ou1 fu5|to tu4|in yin4|on ang4
at ai4 te5|for fou4|with wei4 si5|this zei4 si5|that zai4 te5|what wa4 te5|who hu4|when wen4|where wai4 er5
why wai4|how hao4|very wai4 rui5|much ma4 qi5|good gu3 de5|morning mo4 ning5|night nai4 te5|day dei4
today te5 dei4|time tai4 mu5|now nao4|new niu4|old ou4 de5|big bi4 ge5|love la4 fu5|like lai4 ke5|go gou4
come kang4 mu5|open ou1 pen5|close ke4 lou4 zi5|start si5 ta4 te5|stop si5 ta4 pu5|next nai4 ke5 si5 te5
back bai4 ke5|up a4 pu5|down dang4 en5|one wang4|two tu4|three si5 rui4|four fou4|five fai4 fu5|six xi4 ke5 si5
seven sai4 wen5|eight ei4 te5|nine nai4 en5|ten tai4 en5|zero zi1 rou5|first fou4 si5 te5|world wo4 de5
happy hai1 pi4|cool ku4|baby bei4 bi3|party pa4 ti4|show xiu4|fan fen3 si1|fans fen3 si1|girl ge4 er5
boy bo4 yi5|man man4|home hong4 mu5|work wo4 ke5|book bu4 ke5|music miu4 zi5 ke5|game gei4 mu5|movie mu4 wei5
news niu4 si5|team ti4 mu5|car ka4|bus ba1 shi4|taxi tai4 ke4 xi1|coffee ka1 fei1|pizza pi1 sa4|salad sha1 la1
cheese zhi1 shi4|sofa sha1 fa1|email yi4 mei2 er5|mail mei2 er5|web wai4 bu5|app ai4 pu5|bug ba1 ge5
code kou4 de5|data dei1 ta5|file fai4 er5|user you1 ze5|admin ai4 de5 min5|login lou1 ge5 yin4|server se4 wo5
cloud ke4 lao4 de5|online ang4 lai4 en5|offline ao1 fu5 lai4 en5|logo lou2 gou4|demo di2 mou4|video wei1 di4 ou1
model mo2 te4 er5|test tai4 si5 te5|plan pu4 lan4|pro pu4 rou4|plus pu4 la1 si5|max mai4 ke5 si5|mini mi2 ni5
air ai4 er5|vip wei1 ai1 pi4|vs wei1 ai2 si5|wifi wai1 fai4|wi-fi wai1 fai4|bluetooth bu4 lu4 tu4 si5
iphone ai4 feng1|ipad ai4 pai4 de5|mac mai4 ke5|android an1 zhuo1|windows wen1 dou5 si5|linux li2 nei4 ke4 si5
google gu3 ge1|microsoft wei1 ruan3|facebook fei1 si5 bu4 ke4|twitter tui1 te4|youtube you1 tu4 bu5
tesla te4 si1 la1|amazon ya4 ma3 xun4|apple ai4 pu5 er5|intel ying1 te4 er3|nvidia ying1 wei3 da2
openai ou1 pen5 ei1 ai4|chatgpt chai4 te5 ji4 pi4 ti4|python pai4 sen1|java zha1 wa3|docker dao1 ke4 er5
kubernetes ku3 bo1 nei4 ti4 si5|github ji4 te5 ha1 bu5|excel yi4 ke5 sai1 er5|word wo4 de5|disney di2 shi4 ni2
nike nai4 ke4|covid kou1 wei1 de5
""".replace("\n", "|").split("|")
    )
    if word
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
