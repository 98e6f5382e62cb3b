"""Readings of characters with several: lists with the expected ones, and where a reading comes from."""

import re
from pathlib import Path

import pytest
from pypinyin.constants import PINYIN_DICT

from tts_server.engines.fastspeech2.phonemes import FrontEnd, Syllable
from tts_server.engines.fastspeech2.readings import contexts, read, read_aloud
from tts_server.engines.fastspeech2.readings.dictionary import OWN_WORDS, SUPERSEDED, lines
from tts_server.engines.fastspeech2.readings.names import SURNAMES

LISTS = Path(__file__).parent.parent / "readings"


def expected(name: str) -> list[tuple[str, int, set[str]]]:
    """Return the text, the place of the character, and the readings that are right."""
    found = []
    for line in (LISTS / name).read_text(encoding="utf-8").splitlines()[1:]:
        text, char, occurrence, pinyin = line.split("\t")
        places = [index for index, each in enumerate(text) if each == char]
        found.append((text, places[int(occurrence) - 1], set(pinyin.split("/"))))
    return found


@pytest.mark.parametrize("name,least", [("polyphones.tsv", 0.98), ("more_polyphones.tsv", 0.95)])
def test_share_of_characters_read_as_expected(name: str, least: float) -> None:
    characters = expected(name)
    wrong = [
        (text, text[at], read_aloud(text)[at]) for text, at, right in characters if read_aloud(text)[at] not in right
    ]
    assert len(wrong) <= (1 - least) * len(characters), wrong


@pytest.mark.parametrize(
    "text,place,pinyin,origin",
    [
        ("好", 0, "hao3", "character"),
        ("音乐", 1, "yue4", "phrase"),
        ("东阿", 1, "e1", "word"),
        ("两行代码", 1, "hang2", "context"),
        ("说得好", 1, "de5", "particle"),
        ("任正非", 0, "ren2", "surname"),
    ],
)
def test_origin(text: str, place: int, pinyin: str, origin: str) -> None:
    reading = read(text)[place]
    assert (reading.pinyin, reading.origin) == (pinyin, origin)


def test_a_reading_keeps_its_citation_form() -> None:
    first, second = read("你好")
    assert (first.pinyin, first.citation, first.sandhi) == ("ni2", "ni3", True)
    assert (second.pinyin, second.citation, second.sandhi) == ("hao3", "hao3", False)


def test_neighbours_follow_a_pinned_reading() -> None:
    readings = read("一行人", {1: "hang2"})
    assert [each.pinyin for each in readings] == ["yi4", "hang2", "ren2"]
    assert readings[1].origin == "pinned"
    assert read_aloud("一个", {0: "yi1"}) == ["yi1", "ge4"]


def test_a_word_of_the_list_has_a_syllable_for_each_character() -> None:
    for word, syllables in OWN_WORDS.items():
        assert len(word) == len(syllables), word


@pytest.mark.parametrize(
    "text,place", [("屋脊", 1), ("世界屋脊", 3), ("门框", 1), ("咆哮", 1), ("偏颇", 1), ("缅甸", 1)]
)
def test_a_reading_that_the_standard_dropped_is_replaced(text: str, place: int) -> None:
    reading = read(text)[place]
    assert reading.citation in {new for (char, _), new in SUPERSEDED.items() if char == text[place]}


def test_every_reading_of_the_lists_can_be_said(front_end: FrontEnd) -> None:
    syllables = {each for word in OWN_WORDS.values() for each in word} | set(SURNAMES.values())
    syllables |= {line.split()[1] for line in lines("contexts.txt")} | set(SUPERSEDED.values())
    for syllable in sorted(syllables):
        assert re.fullmatch(r"[a-z]+[1-5]", syllable)
        assert front_end.spell([Syllable(syllable)]), syllable


def test_every_context_is_about_its_character() -> None:
    for line in lines("contexts.txt"):
        char, reading, pattern = line.split(maxsplit=2)
        assert ord(char) in PINYIN_DICT
        assert "_" in pattern, line
        assert not re.search(r"(?<!\\)\((?!\?)", pattern), line  # the only group is the character
        assert [each for each, found, _ in contexts._patterns(char) if found.groups and each == reading]


@pytest.mark.parametrize("text", ["一" * 60, "行" * 60, "第一" * 30, "长" + "一" * 60, "还不" * 30, "转" * 60])
@pytest.mark.timeout(20)
def test_odd_texts_take_no_time(text: str) -> None:
    assert len(read_aloud(text)) == len(text)


@pytest.mark.parametrize(
    "text,spoken",
    [
        ("他还给我打了电话", "ta1 hai2 gei3 wo2 da3 le5 dian4 hua4"),
        ("把书还给我", "ba3 shu1 huan2 gei2 wo3"),
        ("他还不了解情况", "ta1 hai2 bu4 liao2 jie3 qing2 kuang4"),
        ("我还要还他钱", "wo3 hai2 yao4 huan2 ta1 qian2"),
        ("没收到货", "mei2 shou1 dao4 huo4"),
        ("没收赌资", "mo4 shou1 du3 zi1"),
        ("空着手来", "kong1 zhe5 shou3 lai2"),
        ("墙倒了", "qiang2 dao3 le5"),
        ("倒了一杯水", "dao4 le5 yi4 bei1 shui3"),
        ("他得了感冒", "ta1 de2 le5 gan3 mao4"),
        ("他教得很好", "ta1 jiao1 de5 hen2 hao3"),
        ("华为和华先生", "hua2 wei2 he2 hua4 xian1 sheng5"),
        ("您拨打的电话", "nin2 bo1 da3 de5 dian4 hua4"),
        ("他打的去机场", "ta1 da3 di1 qu4 ji1 chang3"),
        ("董事会长时间讨论", "dong3 shi4 hui4 chang2 shi2 jian1 tao3 lun4"),
        ("奖金发了", "jiang3 jin1 fa1 le5"),
        ("他说得有道理", "ta1 shuo1 de5 you3 dao4 li3"),
        ("吃得多做得多", "chi1 de5 duo1 zuo4 de5 duo1"),
        ("小王得去医院", "xiao3 wang2 dei3 qu4 yi1 yuan4"),
        ("因为他为人民服务", "yin1 wei4 ta1 wei4 ren2 min2 fu2 wu4"),
        ("一行十人走了一行又一行", "yi4 xing2 shi2 ren2 zou3 le5 yi4 hang2 you4 yi4 hang2"),
        ("孙子读孙子兵法", "sun1 zi5 du2 sun1 zi3 bing1 fa3"),
        ("房子和电子", "fang2 zi5 he2 dian4 zi3"),
        ("希特勒勒紧", "xi1 te4 le4 lei1 jin3"),
        ("仿佛信佛", "fang3 fu2 xin4 fo2"),
        ("秘书长和长宁", "mi4 shu1 zhang3 he2 chang2 ning2"),
        ("多少年的少年", "duo1 shao3 nian2 de5 shao4 nian2"),
        ("其中选择和中选", "qi2 zhong1 xuan3 ze2 he2 zhong4 xuan3"),
        ("他安静地坐着", "ta1 an1 jing4 de5 zuo4 zhe5"),
        ("黑格尔和黑客", "hei1 ge2 er3 he2 hei1 ke4"),
        ("店铺开门铺开", "dian4 pu4 kai1 men2 pu1 kai1"),
    ],
)
def test_the_same_character_in_several_surroundings(text: str, spoken: str) -> None:
    assert " ".join(read_aloud(text)) == spoken


@pytest.mark.parametrize(
    "text,word",
    [
        ("会议定于十一月二十八日举行", "二十八日"),
        ("一共一千二百三十四点五元整", "一千二百三十四点五元"),
        ("电话幺三八零零幺三八零零零畅通", "幺三八零零幺三八零零零"),
        ("住在北京市朝阳区", "朝阳区"),
    ],
)
def test_a_number_and_what_it_counts_are_one_word(text: str, word: str, front_end: FrontEnd) -> None:
    words = front_end.words(text)
    assert word in words
    assert "".join(words) == text
