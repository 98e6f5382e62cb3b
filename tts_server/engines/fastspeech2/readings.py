"""Chinese characters to pinyin as it is spoken: the readings of words, then tone sandhi.

The corpus is transcribed as spoken, so 你好 is ``ni2 hao3`` and 一万 is ``yi2 wan4``. Readings come from pypinyin's
dictionaries. This module adds what they lack.
"""

import re
from collections.abc import Mapping
from functools import partial
from types import MappingProxyType

from pypinyin import Style, load_phrases_dict
from pypinyin.contrib.neutral_tone import NeutralToneWith5Mixin
from pypinyin.converter import DefaultConverter
from pypinyin.core import Pinyin
from pypinyin.seg import mmseg

# Words for which the dictionaries give a formal reading or that of another word. Most differ in a neutral tone.
_WORDS = """
爸爸 bà ba|妈妈 mā ma|哥哥 gē ge|弟弟 dì di|姐姐 jiě jie|妹妹 mèi mei|爷爷 yé ye|奶奶 nǎi nai|太太 tài tai
先生 xiān sheng|学生 xué sheng|医生 yī shēng|朋友 péng you|丈夫 zhàng fu|大夫 dài fu|师傅 shī fu|护士 hù shi
谢谢 xiè xie|东西 dōng xi|明白 míng bai|葡萄 pú tao|头发 tóu fa|答应 dā ying|时候 shí hou|地方 dì fang
意思 yì si|漂亮 piào liang|告诉 gào su|喜欢 xǐ huan|认识 rèn shi|关系 guān xi|消息 xiāo xi|休息 xiū xi
客气 kè qi|事情 shì qing|衣服 yī fu|晚上 wǎn shang|早上 zǎo shang|麻烦 má fan|舒服 shū fu|眼睛 yǎn jing
耳朵 ěr duo|窗户 chuāng hu|名字 míng zi|清楚 qīng chu|打算 dǎ suan|聪明 cōng ming|热闹 rè nao|暖和 nuǎn huo
商量 shāng liang|招呼 zhāo hu|收拾 shōu shi|力气 lì qi|脾气 pí qi|豆腐 dòu fu|石头 shí tou|月亮 yuè liang
云彩 yún cai|生意 shēng yi|本事 běn shi|钥匙 yào shi|马虎 mǎ hu|客人 kè rén|勉强 miǎn qiǎng|还是 hái shi
慢慢地 màn màn de|老虎 lǎo hǔ|还款 huán kuǎn|还钱 huán qián|还书 huán shū|还债 huán zhài|这么长 zhè me cháng
那么长 nà me cháng|多长 duō cháng|很长 hěn cháng|太长 tài cháng|更长 gèng cháng|长一点 cháng yì diǎn
长得 zhǎng de|一会儿 yí huì er
"""
_SURNAMES = {"查": "zha1", "仇": "qiu2", "曾": "zeng1", "任": "ren2", "单": "shan4", "解": "xie4", "区": "ou1"}
_SURNAMES |= {"朴": "piao2", "华": "hua4", "盖": "ge3", "乐": "yue4", "尹": "yin3", "覃": "qin2"}
_SURNAME = re.compile(
    rf"(?:^|(?<=[的和与是请找叫]))[{''.join(_SURNAMES)}](?=先生|女士|小姐|老师|经理|总|医生|主任|教授)"
)
# Before these, 得 is a verb of its own (得去 dei3). Elsewhere, after a verb, it is the particle.
_DEI_BEFORE = frozenset("去来走跑写买先赶多注小")
_DIGITS = frozenset("零〇一二两三四五六七八九十百千万亿点第年月号幺")
_ORDINAL_AFTER = frozenset("月日号楼班级期季零〇一二三四五六七八九十幺点")
_THIRD = "3"


class _Converter(NeutralToneWith5Mixin, DefaultConverter):
    """Pinyin with 5 for the neutral tone."""


def _load() -> Pinyin:
    phrases = {}
    for entry in _WORDS.replace("\n", "|").split("|"):
        word, _, reading = entry.strip().partition(" ")
        if word:
            phrases[word] = [[syllable] for syllable in reading.split()]
    load_phrases_dict(phrases)
    mmseg.seg.train(iter(phrases))
    return Pinyin(_Converter())


_PINYIN = _load()


def read_aloud(run: str, pinned: Mapping[int, str] = MappingProxyType({})) -> list[str]:
    """Return one syllable (``hao3``) per character of a run of Chinese characters.

    The syllables in ``pinned``, by their place in the run, are spoken as they are written. Neighbours follow them.
    """
    syllables = [each[0] for each in _PINYIN.pinyin(run, style=Style.TONE3)]
    for surname in _SURNAME.finditer(run):
        syllables[surname.start()] = _SURNAMES[surname[0]]
    words = list(mmseg.seg.cut(run))
    for change in (_read_particles, partial(_read_one_and_not, run), _change_third_tones):
        _pin(syllables, pinned)
        change(words, syllables)
    _pin(syllables, pinned)
    return syllables


def _pin(syllables: list[str], pinned: Mapping[int, str]) -> None:
    for index, syllable in pinned.items():
        syllables[index] = syllable


def _read_particles(words: list[str], syllables: list[str]) -> None:
    """Read 得 and 地 as particles (说得好, 慢慢地走) if the character is a word of its own between two others."""
    at = 0
    for index, word in enumerate(words):
        before = words[index - 1] if index else ""
        after = words[index + 1] if index + 1 < len(words) else ""
        if word == "得" and before and after and after[0] not in _DEI_BEFORE:
            syllables[at] = "de5"
        elif word == "得" and after and after[0] in _DEI_BEFORE:
            syllables[at] = "dei3"
        elif word == "地" and len(before) > 1 and after:
            syllables[at] = "de5"
        at += len(word)


def _read_one_and_not(run: str, words: list[str], syllables: list[str]) -> None:
    """Apply the sandhi of 一 and 不.

    一 is yi2 before a fourth tone, yi4 before the others, and yi1 as a numeral. 不 is bu2 before a fourth tone.
    """
    ends = set()
    at = 0
    for word in words:
        at += len(word)
        ends.add(at - 1)
    for index, char in enumerate(run[:-1]):
        before, after = run[index - 1 : index], run[index + 1]
        fourth = syllables[index + 1].endswith("4") or (after == "个" and char == "一")
        if char == "不" and syllables[index].startswith("bu"):
            syllables[index] = "bu2" if fourth else "bu4" if syllables[index] != "bu5" else "bu5"
        elif char == "一" and syllables[index].startswith("yi"):
            if after in "百千万亿":
                figure = before != "" and before in "零〇一二两三四五六七八九十幺点"
            else:
                # 统一 and 星期一 end a word; 十一, 一月 and 第一 are numerals.
                figure = (before in _DIGITS if before else False) or after in _ORDINAL_AFTER
                figure = figure or (index in ends and index > 0 and index - 1 not in ends)
            syllables[index] = "yi1" if figure else "yi2" if fourth else "yi4"


def _change_third_tones(words: list[str], syllables: list[str]) -> None:
    """Turn a third tone before another third tone into a second one, within a word and beside a word of one syllable.

    Works from the end, so that in a row of three single syllables (我很好) the first one keeps its tone.
    """
    written = list(syllables)
    end = len(syllables)
    following = ""
    for word in reversed(words):
        for place in range(end - len(word), end - 1):
            if written[place].endswith(_THIRD) and written[place + 1].endswith(_THIRD):
                syllables[place] = written[place][:-1] + "2"
        if (
            following
            and 1 in {len(word), len(following)}
            and all(each.endswith(_THIRD) for each in syllables[end - 1 : end + 1])
        ):
            syllables[end - 1] = written[end - 1][:-1] + "2"
        end -= len(word)
        following = word
