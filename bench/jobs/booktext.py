"""A book, at random but the same in each run. No sentence occurs twice, so one that is lost or doubled is found."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from tts_server.text.numbers import spell_cardinal

CHAPTER_CHARACTERS = 6000
_PARAGRAPH_SENTENCES = 6
_MAX_TITLE_CHARACTERS = 12
# The parts of a sentence, one a line: when, who, where, what is done, to what, and the end. They contain no digits and
# no Latin letters, so that captions say what the text says, character for character.
_WORDS = """\
清晨 傍晚 午夜时分 雨停以后 第二天 从那天起 春天来临时 秋收过后 大雪封山的日子 黄昏的时候 月亮升起时 天还没亮
老船长 年轻的木匠 卖茶的姑娘 守灯塔的人 村里的先生 我的祖父 那位画家 邻家的孩子 远行的商人 钟表匠 河边的渔夫 老裁缝
在码头上 沿着石阶 穿过竹林 站在桥头 推开木门 坐在窗前 走进集市 翻过山岭 靠着城墙 绕过湖边 回到院子里 登上阁楼
听见 想起 遇到 找到 写下 修好 送走 等来 看着 数着 梦见 收起
一艘白色的船 一封旧信 远处的钟声 迷路的小狗 一本没有名字的书 满天的星星 一盏昏黄的灯 结冰的河面 熟悉的旋律 屋檐下的燕子
心里渐渐平静下来 谁也没有说话 风从北方吹来 路还很长 天色慢慢暗了 大家都笑了起来 水面泛起波纹 故事才刚刚开始
"""
*_SUBJECT, _ENDINGS = [line.split() for line in _WORDS.splitlines()]


@dataclass(frozen=True)
class Book:
    """A text, and its sentences and the titles of its chapters, in the order in which they stand in it."""

    text: str
    sentences: tuple[str, ...]


def sentences(seed: int) -> Iterator[str]:
    """Yield different sentences of about 30 characters."""
    chosen = random.Random(seed)  # noqa: S311 - not a secret
    seen: set[str] = set()
    while True:
        subject = "".join(chosen.choice(words) for words in _SUBJECT)
        sentence = f"{subject}，{chosen.choice(_ENDINGS)}。"
        if sentence not in seen:
            seen.add(sentence)
            yield sentence


def book(characters: int, seed: int) -> Book:
    """Return a book of about so many characters."""
    source = sentences(seed)
    said: list[str] = []
    paragraphs: list[str] = []
    length = chapter = 0
    while length < characters:
        if length >= chapter * CHAPTER_CHARACTERS:
            chapter += 1
            added = [f"第{spell_cardinal(str(chapter))}章 {next(source).partition('，')[0][:_MAX_TITLE_CHARACTERS]}"]
        else:
            added = list(islice(source, _PARAGRAPH_SENTENCES))
        said += added
        paragraphs.append("".join(added))
        length += len(paragraphs[-1]) + 1
    return Book("\n".join(paragraphs), tuple(said))


def misread(sentences: tuple[str, ...], said: str) -> int:
    """Return how many sentences are not in what was said exactly once and in order; anything else counts as one more.

    Only letters count: punctuation and white space may differ.
    """
    heard, at, wrong = letters(said), 0, 0
    for sentence in map(letters, sentences):
        if heard.startswith(sentence, at):
            at += len(sentence)
            continue
        wrong += 1
        found = heard.find(sentence, at)
        if found >= 0:
            at = found + len(sentence)
    return wrong + (at != len(heard))


def letters(text: str) -> str:
    """Return the letters of a text, without punctuation and white space."""
    return "".join(filter(str.isalnum, text))
