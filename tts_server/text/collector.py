"""Join fragments of text, cut anywhere, into sentences."""

import re
from dataclasses import dataclass

from tts_server.text.sentences import COMMA_PAUSE_SECONDS, SENTENCE_PAUSE_SECONDS

_CLOSING = "”’」』）】》)\\]\"'"
_CHINESE_END = "。！？；…\n"
# A full stop, and other ASCII signs, may also be part of a number, an address or a name. They end a sentence if white
# space, a closing mark or a Chinese character follows. A Chinese end needs no look at what follows.
# A row of signs is tried once (++), not again from each of its ends.
_SENTENCE_END = re.compile(rf"[{_CHINESE_END}]+[{_CLOSING}]*|[.!?;]++(?:[{_CLOSING}]+(?=.)|(?=[\s\u0080-\U0010ffff]))")
# A comma in 12,345 and a colon in 8:30 or in http:// end nothing.
_CLAUSE_END = re.compile(r"[，、：—]+|[,:](?=[^\d/])")
_BLANK = re.compile(r"[\s。！？；…”’」』）】》，、：]+")
# A cut inside a number or a Latin word would change how it is read.
_TOKEN = re.compile(r"[A-Za-z0-9.,:%/+\-]*\Z")


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of text to speak in one go. ``pause`` is the silence that follows, in seconds at normal speed.

    ``begin`` and ``end`` are its place in all the text so far, in code points.
    """

    text: str
    begin: int
    end: int
    pause: float


class SentenceCollector:
    """Collects text and hands out each sentence as soon as it is complete."""

    def __init__(self, limit: int) -> None:
        """Hand out no piece of more than ``limit`` characters."""
        self._limit = limit
        self._text = ""
        self._begin = 0
        self._surrogate = ""

    @property
    def empty(self) -> bool:
        """Whether all text has been handed out."""
        return not self._text

    @property
    def characters(self) -> int:
        """The number of characters added so far."""
        return self._begin + len(self._text)

    def add(self, fragment: str) -> list[Piece]:
        """Add text, and return the sentences that are now complete. Raises UnicodeError for an unpaired surrogate."""
        self._text += self._joined(fragment)
        pieces = []
        position = self._skip_blanks(0)
        while True:
            # No further than an end counts, and what must follow it: the text may have a million full stops in a row.
            end = _SENTENCE_END.search(self._text, position, position + self._limit + 2)
            if end and end.end() - position <= self._limit:
                pieces.append(self._piece(position, end.end(), SENTENCE_PAUSE_SECONDS))
                position = end.end()
            elif len(self._text) - position > self._limit:
                cut, pause = self._cut(position)
                pieces.append(self._piece(position, cut, pause))
                position = cut
            else:
                break
            position = self._skip_blanks(position)
        self._drop(position)
        return pieces

    def pause(self) -> Piece | None:
        """Return what to speak while the text pauses, or None.

        A clause that is complete comes first. What follows it waits for one more pause, because a fragment may end
        inside a word or a number.
        """
        cut = max((each.end() for each in _CLAUSE_END.finditer(self._text)), default=0)
        silence = COMMA_PAUSE_SECONDS
        if not cut:
            silence = 0.0
            cut = _token_begin(self._text) or len(self._text)
        return self._take(cut, silence)

    def flush(self) -> Piece | None:
        """Return all text that was not handed out, or None if there is none."""
        return self._take(len(self._text), 0.0)

    def finish(self) -> Piece | None:
        """Do as :meth:`flush`, at the end of the text. Raises UnicodeError for an unpaired surrogate."""
        if self._surrogate:
            self._joined("\n")
        return self.flush()

    def _take(self, cut: int, silence: float) -> Piece | None:
        piece = self._piece(0, cut, silence) if self._text[:cut].strip() else None
        self._drop(self._skip_blanks(cut))
        return piece

    def _piece(self, begin: int, end: int, pause: float) -> Piece:
        return Piece(self._text[begin:end], self._begin + begin, self._begin + end, pause)

    def _drop(self, count: int) -> None:
        self._text = self._text[count:]
        self._begin += count

    def _skip_blanks(self, position: int) -> int:
        """Return the place of the first character from ``position`` on that can begin a sentence."""
        blank = _BLANK.match(self._text, position)
        return blank.end() if blank else position

    def _cut(self, position: int) -> tuple[int, float]:
        """Return where to cut a text without a sentence end, and the pause that follows."""
        window = self._text[position : position + self._limit]
        clauses = [each.end() for each in _CLAUSE_END.finditer(window)]
        if clauses:
            return position + clauses[-1], COMMA_PAUSE_SECONDS
        return position + (_token_begin(window) or self._limit), 0.0

    def _joined(self, fragment: str) -> str:
        """Return the fragment with surrogate pairs joined. Half a pair at its end waits for the next fragment."""
        fragment, self._surrogate = self._surrogate + fragment, ""
        if fragment and "\ud800" <= fragment[-1] <= "\udbff":
            fragment, self._surrogate = fragment[:-1], fragment[-1]
        if fragment.isascii():
            return fragment
        return fragment.encode("utf-16-le", "surrogatepass").decode("utf-16-le")


def _token_begin(text: str) -> int:
    """Return where the number or Latin word at the end of the text begins, or its length if there is none."""
    token = _TOKEN.search(text)
    return token.start() if token else len(text)
