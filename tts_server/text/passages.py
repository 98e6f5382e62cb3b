"""From a script to sentences: normalise each run beside its neighbours, and split what is spoken in one way."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from tts_server.text.delivery import Delivery
from tts_server.text.normalise import normalise, to_simplified
from tts_server.text.script import TEXT, Run, Script
from tts_server.text.sentences import Sentence, Span, pause_at_start, split_sentences

# While a passage is split, one character stands for each reading, so that nothing can split it. Normalised text has no
# characters for private use, and these planes hold more of them than a text may have characters.
_FIRST_MARK = 0xF0000
_MARK = re.compile("([\U000f0000-\U0010ffff])")
# A neighbour decides how a number is said (2个 is 两个). A few Chinese characters of it are enough, and none of them
# changes when it is normalised.
_CONTEXT = 4
_HANZI_BEFORE = re.compile(rf"[\u4e00-\u9fff]{{1,{_CONTEXT}}}\Z")
_HANZI_AFTER = re.compile(rf"\A[\u4e00-\u9fff]{{1,{_CONTEXT}}}")


@dataclass(slots=True)
class _Passage:
    """Normalised text that is spoken in one way, with the origin of each character and a mark for each reading."""

    delivery: Delivery
    text: str = ""
    origins: list[str] = field(default_factory=list)
    readings: list[Run] = field(default_factory=list)
    silence: float | None = None
    """The silence that follows, in seconds, where a break says so."""

    def add(self, run: Run) -> None:
        """Add a run whose text is normalised."""
        text = run.text
        if run.pinyin:
            text = chr(_FIRST_MARK + len(self.readings))
            self.readings.append(run)
        self.text += text
        self.origins += [run.origin] * len(text)

    def reading(self, mark: str) -> Run:
        """Return the run for which a mark stands."""
        return self.readings[ord(mark) - _FIRST_MARK]


def plan_sentences(
    script: Script, *, limit: int, count: Callable[[str], int], words: Callable[[str], list[str]]
) -> list[Sentence]:
    """Normalise a script, and split it so that no sentence has more than ``limit`` syllables.

    ``count`` and ``words`` are those of :func:`tts_server.text.sentences.split_sentences`. Returns nothing if nothing
    can be said.
    """
    lead, passages = _passages(script)
    sentences: list[Sentence] = []
    after_break = True
    for passage in passages:
        if not after_break:  # <emphasis>好</emphasis>。 pauses after 好
            pause = max(sentences[-1].pause, pause_at_start(passage.text) / passage.delivery.speed)
            sentences[-1] = replace(sentences[-1], pause=pause)
        split = _split(passage, limit=limit, count=count, words=words)
        sentences += split
        if passage.silence is None:
            after_break = after_break and not split
        elif sentences:
            kept = 0.0 if split or not after_break else sentences[-1].pause  # two breaks add up
            sentences[-1] = replace(sentences[-1], pause=kept + passage.silence)
            after_break = True
        else:
            lead += passage.silence
    if not sentences:
        return []
    if not after_break:
        sentences[-1] = replace(sentences[-1], pause=0.0)  # nothing follows
    if lead:
        sentences.insert(0, Sentence("", 0, lead, sentences[0].delivery))
    return sentences


def _passages(script: Script) -> tuple[float, list[_Passage]]:
    """Return the seconds of silence before the first passage, and the passages."""
    lead = 0.0
    passages: list[_Passage] = []
    runs = [each for each in script if isinstance(each, Run)]
    normalised = iter(_normalised(runs))
    for each in script:
        if isinstance(each, Run):
            if not passages or passages[-1].silence is not None or passages[-1].delivery != each.delivery:
                passages.append(_Passage(each.delivery))
            passages[-1].add(next(normalised))
        elif passages:
            passages[-1].silence = (passages[-1].silence or 0.0) + each.seconds
        else:
            lead += each.seconds
    return lead, passages


def _normalised(runs: Sequence[Run]) -> list[Run]:
    """Normalise each run so that it sees the characters beside it, whichever way these are spoken."""
    result = []
    for index, run in enumerate(runs):
        if run.pinyin:
            simplified = to_simplified(run.text)
            text = simplified if len(simplified) == len(run.text) else run.text
        else:
            before = _HANZI_BEFORE.search(to_simplified(runs[index - 1].text)) if index else None
            after = _HANZI_AFTER.search(to_simplified(runs[index + 1].text)) if index + 1 < len(runs) else None
            text = _normalise_between(before[0] if before else "", run.text, after[0] if after else "")
        result.append(replace(run, text=text))
    return result


def _normalise_between(before: str, text: str, after: str) -> str:
    """Normalise text that stands between others. Spaces at its ends still separate it from them."""
    if before or after:
        spoken = normalise(before + text + after)
        if len(spoken) >= len(before) + len(after) and spoken.startswith(before) and spoken.endswith(after):
            return spoken[len(before) : len(spoken) - len(after)]
    body = text.strip()
    if not body:
        return _space(text)
    start = text.index(body)
    return _space(text[:start]) + normalise(body) + _space(text[start + len(body) :])


def _space(blank: str) -> str:
    """Return the one character that white space amounts to. The end of a line ends a sentence."""
    return "\n" if any(char in "\n\r\u2028\u2029" for char in blank) else blank and " "


def _split(
    passage: _Passage, *, limit: int, count: Callable[[str], int], words: Callable[[str], list[str]]
) -> list[Sentence]:
    """Split a passage, and put its readings back into the sentences. The last sentence keeps its pause."""
    if not passage.readings:
        sentences = split_sentences(passage.text, passage.delivery, limit=limit, count=count, words=words, more=True)
    else:

        def count_marked(text: str) -> int:
            plain, *rest = _MARK.split(text)
            marks, others = rest[::2], rest[1::2]
            return count(plain) + sum(map(count, others)) + sum(len(passage.reading(mark).pinyin) for mark in marks)

        def words_marked(text: str) -> list[str]:
            pieces = [each for each in _MARK.split(text) if each]
            return [word for piece in pieces for word in ([piece] if _MARK.match(piece) else words(piece))]

        sentences = split_sentences(
            passage.text, passage.delivery, limit=limit, count=count_marked, words=words_marked, more=True
        )
    if not passage.readings and set(passage.origins) <= {TEXT}:
        return sentences
    result, at = [], 0
    for sentence in sentences:
        labelled, at = _labelled(passage, sentence, at)
        result.append(labelled)
    return result


def _labelled(passage: _Passage, sentence: Sentence, at: int) -> tuple[Sentence, int]:
    """Return the sentence with its spans, and where it ends in the passage. It begins at ``at`` or later."""
    text = ""
    spans: list[Span] = []
    for char in sentence.text:
        found = passage.text.find(char, at)
        if found < 0 or char == ",":  # it joins two pieces; the passage may have another sign there
            text += char
            continue
        at = found + 1
        origin = passage.origins[found]
        start = len(text)
        run = passage.reading(char) if _MARK.match(char) else None
        text += run.text if run else char
        if run:
            spans.append(Span(start, len(text), origin, run.pinyin))
        elif (
            origin != TEXT and spans and spans[-1].end == start and spans[-1].origin == origin and not spans[-1].pinyin
        ):
            spans[-1] = replace(spans[-1], end=len(text))
        elif origin != TEXT:
            spans.append(Span(start, len(text), origin))
    return replace(sentence, text=text, spans=tuple(spans)), at
