"""Tones that neighbours change, and particles: 一, 不, third tones, 得 and 地."""

import re

from tts_server.engines.fastspeech2.readings.dictionary import Word

_DIGITS = frozenset("零〇一二两三四五六七八九十百千万亿点第年月号幺")
_ORDINAL_AFTER = frozenset("月日号楼班级期季零〇一二三四五六七八九十幺")
_DECIMALS = frozenset("零一二三四五六七八九")
_NUMERALS = frozenset("零〇一二两三四五六七八九十幺点")
_POWERS = frozenset("百千万亿")
_KEYS = frozenset("键号转")
_TO = frozenset("到至")
_SIZES = frozenset("大小")
_WEEK = frozenset("周期拜")
_WEEKS = frozenset({"一周", "两周", "每周"})
_DEGREE = frozenset("很也都最更挺太好还又再")
# 地上, 地方, 地铁: with these, 地 is the ground
_AFTER_GROUND = frozenset(
    "上下里面方区点址图铁球板位理产主带震势形道狱毯盘基税名段级质貌心窖瓜租暖库标域平头步支热砖痞雷勤皮块界大广处"
)
# Kinds of words that 得 follows as a particle: verbs, adjectives, states, idioms. Not 我得去, 还得去, 小王得去.
_BEFORE_DE = frozenset("vabzilx")
_NAME_OR_STATE = 2
_THIRD = "3"


# rjieba does not know them as pronouns.
_PERSONS = frozenset({"您", "咱"})
# After these, 得 is the verb "must", also where rjieba has them as verbs: 怕是得下雪, 饭得趁热吃.
_BEFORE_MUST = re.compile(r"(?:[怕许能]是|[可了得]|时候|^[钱饭话事活药])$")


def read_particles(run: str, words: list[Word], origins: list[str]) -> list[int]:
    """Return the places of the particles 得 (说得好) and 地 (慢慢地走) among characters of no phrase."""
    found = []
    for index, word in enumerate(words):
        before = words[index - 1] if index else None
        if "得" in word.text and word.text != "得":
            place = word.start + word.text.find("得", 1)
            if word.start < place < len(run) - 1 and origins[place] == "character" and not _must(run, place):
                found.append(place)
        elif word.text == "得" and before is not None and word.end < len(run):
            if before.kind[0] in _BEFORE_DE and before.text not in _PERSONS and not _must(run, word.start):
                found.append(word.start)
        elif word.text[0] == "地" and before is not None and _describes(before, words[index + 1 : index + 2]):
            after = run[word.start + 1 : word.start + 2]
            if after and after not in _AFTER_GROUND and origins[word.start] != "word":
                found.append(word.start)
        elif word.text[-1] == "地" and word.kind[0] in "zd" and origins[word.end - 1] == "character":
            found.append(word.end - 1)
    return found


def _must(run: str, place: int) -> bool:
    return _BEFORE_MUST.search(run[max(0, place - 2) : place]) is not None or run[place - 1] in "钱饭车药"


def _describes(word: Word, after: list[Word]) -> bool:
    """Whether 地 may make an adverb of the word. rjieba takes 安静 and 文静 for names."""
    if word.kind == "nr":
        return len(word.text) == _NAME_OR_STATE and [each.kind[0] for each in after] == ["v"]
    return len(word.text) > 1 and (word.kind[0] in "abdzvilm" or word.kind == "n")


def change_one_and_not(run: str, words: list[Word], syllables: list[str]) -> None:
    """一 is yi2 before a fourth tone and yi4 before the others, but yi1 as a figure; 不 is bu2 before a fourth tone."""
    ends = {word.end - 1 for word in words}
    starts = {word.start for word in words}
    for index, char in enumerate(run[:-1]):
        before, after = run[max(0, index - 1) : index], run[index + 1]
        fourth = syllables[index + 1].endswith("4") or (after == "个" and char == "一")
        if char == "不" and syllables[index] in {"bu4", "bu2"}:
            syllables[index] = "bu2" if fourth else "bu4"
        elif char == "一" and syllables[index] in {"yi1", "yi2", "yi4"}:
            ends_word = index in ends and index not in starts
            syllables[index] = "yi1" if _is_figure(run, index, before, after, ends_word) else "yi2" if fourth else "yi4"


def _is_figure(run: str, index: int, before: str, after: str, ends_word: bool) -> bool:
    """Whether 一 is a figure: in numbers and ordinals, at the end of a word, or a key that is pressed."""
    if after in _POWERS:
        return before in _NUMERALS
    two_before = run[max(0, index - 2) : index]
    if two_before == "分之" or (before == "按" and after in _KEYS) or (before in _WEEK and two_before not in _WEEKS):
        return True
    if after == "点" and before not in _NUMERALS:
        return run[index + 2 : index + 3] in _DECIMALS  # one point five; but a little, and one o'clock
    if after in _TO and run[index + 2 : index + 3] in _DECIMALS:
        return True  # from one to nine
    if (before in _SIZES and after == "号") or (two_before + "一")[-2:] == "同一":
        return False  # one size larger; the same line
    return ends_word or before in _DIGITS or after in _ORDINAL_AFTER or run[index + 1 : index + 3] == "年级"


def change_third_tones(_: str, words: list[Word], syllables: list[str]) -> None:
    """Make a third tone before another one a second one, within a word and within a foot of short words.

    Feet, as S. Duanmu, "The Phonology of Standard Chinese" (2007), describes them: two words of one syllable make one,
    an adverb with what it qualifies, and a word of one syllable joins the word before it.
    """
    written = list(syllables)
    ends_foot = {foot_end - 1 for foot_end in _feet(words)}
    for place in range(len(syllables) - 2, -1, -1):
        if not (written[place].endswith(_THIRD) and written[place + 1].endswith(_THIRD)):
            continue
        if place in ends_foot and not syllables[place + 1].endswith(_THIRD):
            continue
        if place not in ends_foot or _single(words, place):
            syllables[place] = written[place][:-1] + "2"


def _feet(words: list[Word]) -> list[int]:
    """Return where the feet end."""
    ends: list[int] = []
    index = 0
    while index < len(words):
        word = words[index]
        following = words[index + 1] if index + 1 < len(words) else None
        if len(word.text) == 1 and following is not None and len(following.text) == 1:
            nxt = words[index + 2] if index + 2 < len(words) else None
            if following.text in _DEGREE and nxt is not None and len(nxt.text) == 1:
                ends.append(word.end)  # 我 | 很好
                index += 1
                continue
            ends.append(following.end)
            index += 2
            continue
        if following is not None and len(following.text) == 1 and len(word.text) > 1:
            nxt = words[index + 2] if index + 2 < len(words) else None
            if nxt is None or len(nxt.text) > 1:
                ends.append(following.end)
                index += 2
                continue
        ends.append(word.end)
        index += 1
    return ends


def _single(words: list[Word], place: int) -> bool:
    """Whether a word of one syllable is at this place or at the next one."""
    return any(len(word.text) == 1 and word.start in {place, place + 1} for word in words)
