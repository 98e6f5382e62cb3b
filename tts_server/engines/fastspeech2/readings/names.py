"""Surnames that are read in another way than the same character elsewhere."""

import re

from tts_server.engines.fastspeech2.readings.dictionary import OWN_WORDS, PHRASES, Word, divide

SURNAMES = {
    "查": "zha1", "仇": "qiu2", "曾": "zeng1", "任": "ren2", "单": "shan4", "解": "xie4", "区": "ou1", "朴": "piao2",
    "华": "hua4", "盖": "ge3", "乐": "yue4", "尹": "yin3", "覃": "qin2", "葛": "ge3", "翟": "zhai2", "缪": "miao4",
    "燕": "yan1", "纪": "ji4", "繁": "po2", "种": "chong2", "员": "yun4", "召": "shao4", "折": "she2",
    "洗": "xian3", "冼": "xian3", "宓": "mi4", "牟": "mou4", "谌": "chen2", "秘": "bi4", "盛": "sheng4",
    "应": "ying1", "宿": "su4", "卜": "bu3", "过": "guo1", "肖": "xiao1", "句": "gou1", "晟": "cheng2",
    "少": "shao4", "都": "du1", "祭": "zhai4", "臧": "zang1", "訾": "zi1", "乜": "nie4", "逄": "pang2", "靳": "jin4",
    "贾": "jia3", "于": "yu2", "车": "che1", "石": "shi2", "叶": "ye4", "沈": "shen3", "樊": "fan2", "俞": "yu2",
    "参": "shen1", "相": "xiang4", "隗": "wei3", "郇": "xun2", "郗": "xi1", "郝": "hao3", "褚": "chu3", "阚": "kan4",
}  # fmt: skip
# Not after a surname: 乐嘉 may be either, 华佗 is a name by custom of the physician, 万 is common.
_TITLES = (
    "先生|女士|小姐|太太|老师|经理|总(?!是|会|要|在)|医生|主任|教授|校长|局长|书记|师傅|工程师|同学|同志|老板|律师"
    "|大夫|护士|警官|法官|总监|院长|处长|科长|所长|厂长|队长|班长|导演|师兄|阿姨|叔叔|奶奶|爷爷|大爷|大妈|大哥|大姐"
)
_BEFORE_TITLE = re.compile(rf"(?:^|(?<=[的和与是请找叫给对跟向为让]))[{''.join(SURNAMES)}](?={_TITLES})")
# These are verbs more often, if what follows is a word: 查余额, 解方程.
_VERBS = frozenset("查解盖过折种洗撒应少参相")
_LONGEST_NAME = 4
# With one of these, it is the name of a foreigner, and the first character no surname: 查普曼.
_FOREIGN = frozenset("普韦茨茅曼逊姆弗斯")


def surnames(run: str, words: list[Word]) -> dict[int, str]:
    """Return the readings of surnames, by the place of the character: before a title, or in a person's name."""
    found = {match.start(): SURNAMES[match[0]] for match in _BEFORE_TITLE.finditer(run)}
    for index, word in enumerate(words):
        first = word.text[0]
        if (
            first in SURNAMES
            and len(word.text) == 1
            and [each.kind for each in words[index + 1 : index + 2]] == ["nrfg"]
        ):
            found[word.start] = SURNAMES[first]  # a given name follows
        if (
            first in SURNAMES
            and word.kind.startswith("nr")
            and 1 < len(word.text) <= _LONGEST_NAME
            and not _FOREIGN & {*word.text}
        ):
            # No phrase of pypinyin's is a name, but jieba takes 华丽 and 朴素 for some.
            if word.text in OWN_WORDS or word.text in PHRASES or (first in _VERBS and _is_word(word.text[1:])):
                continue
            found[word.start] = SURNAMES[first]
    return found


def _is_word(text: str) -> bool:
    """Whether a dictionary has it as something else than a name."""
    kinds = [word.kind for word in divide(text)]
    return len(text) > 1 and len(kinds) == 1 and kinds[0][0] in "nvad" and not kinds[0].startswith("nr")
