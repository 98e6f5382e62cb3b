"""Signs, Greek letters and ligatures, and how they are spoken or spelt in Mandarin."""

_NUMERALS = ("一", "二", "三", "四", "五", "六", "七", "八", "九", "十", "十一", "十二")

# NFKC would turn these into characters with another meaning or without a reading.
BEFORE_NFKC = str.maketrans(
    {"℃": "°C", "℉": "°F", "…": "。", "№": "编号", "㏑": "ln", "ß": "ss", "ẞ": "SS", "ø": "o", "Ø": "O"}
    | {chr(0x2160 + index): numeral for index, numeral in enumerate(_NUMERALS)}  # Ⅰ to Ⅻ
    | {chr(0x2170 + index): numeral for index, numeral in enumerate(_NUMERALS)}  # ⅰ to ⅻ
    | {"æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE", "ł": "l", "Ł": "L", "đ": "d", "Đ": "D", "ð": "d", "þ": "th"}
    | {
        chr(0x2460 + index): f" {index + 1} " for index in range(20)
    }  # ① to ⑳ are list numbers, not digits of one number
)
# Units in one character, whose exponents NFKC would turn into digits of the number.
SQUARED_UNITS = str.maketrans(
    {"㎡": "m²", "㎥": "m³", "㎠": "cm²", "㎤": "cm³", "㎟": "mm²", "㎣": "mm³", "㎢": "km²", "㎦": "km³"}
)
DASHES = str.maketrans(dict.fromkeys("‐‑‒–−﹣－", "-") | dict.fromkeys("～〜∼", "~") | {"∶": ":"})

SUPERSCRIPTS = {"⁰": "0", "¹": "1", "²": "2", "³": "3", "⁻": "-"} | {
    chr(0x2070 + index): str(index) for index in range(4, 10)
}

# Spelt out anywhere, after the rules for numbers.
SIGNS = {
    "±": "正负",
    "≈": "约等于",
    "≠": "不等于",
    "≤": "小于等于",
    "≥": "大于等于",
    "√": "根号",
    "∞": "无穷大",
    "→": "到",
    "↑": "上升",
    "↓": "下降",
    "×": "乘",
    "÷": "除以",
    "∑": "求和",
    "∫": "积分",
    "∆": "德尔塔",
    "∈": "属于",
    "∪": "并",
    "∩": "交",
    "∠": "角",
    "⊥": "垂直于",
    "∥": "平行于",
    "§": "第",
    "@": "艾特",
    "=": "等于",
    "&": "和",
    "+": "加",
    "‱": "万分之",
}

_GREEK_NAMES = """
阿尔法 贝塔 伽马 德尔塔 艾普西隆 泽塔 伊塔 西塔 约塔 卡帕 拉姆达 缪
纽 克西 奥米克戎 派 柔 西格玛 西格玛 陶 宇普西隆 斐 希 普西 欧米伽
""".split()  # noqa: SIM905 - a list of 25 short strings is harder to read
GREEK = {chr(0x3B1 + index): name for index, name in enumerate(_GREEK_NAMES)}
GREEK |= {letter.upper(): name for letter, name in GREEK.items()}

# Characters missing from the table of readings, each with a character of the same reading.
SAME_READING = str.maketrans(
    {"𠮷": "吉", "㐂": "喜", "㑇": "皱", "䶮": "衍", "𬱖": "伟", "𫖯": "俯", "㛃": "洁", "䴙": "辟"}
)
