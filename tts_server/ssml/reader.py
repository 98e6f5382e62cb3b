"""Read SSML with expat, the XML parser of Python. Documents with a DTD, and so with entities, are refused."""

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import NoReturn, ParamSpec, TypeVar
from xml.parsers import expat

from tts_server.ssml.prosody import break_seconds, with_emphasis, with_prosody
from tts_server.ssml.say_as import say_as
from tts_server.text.delivery import Delivery
from tts_server.text.script import Break, Run, Script, ScriptError, parse_pinyin, unknown_syllable

MAX_DEPTH = 16
MAX_TOTAL_BREAK_SECONDS = 60.0
PARAGRAPH_PAUSE_SECONDS = 0.6
_P = ParamSpec("_P")
_T = TypeVar("_T")
_BEGINS = re.compile(r"\s*<speak[\s/>]")
_BLANK = re.compile(r"[ \t\r\n]+")
_SENTENCE_ENDS = "。.!！?？;；…"
_CODE = "invalid_ssml"
_ATTRIBUTES: dict[str, frozenset[str]] = {
    "speak": frozenset({"version", "xml:lang", "xmlns", "xmlns:xsi", "xsi:schemaLocation"}),
    "p": frozenset({"xml:lang"}),
    "s": frozenset({"xml:lang"}),
    "break": frozenset({"time", "strength"}),
    "phoneme": frozenset({"alphabet", "ph"}),
    "say-as": frozenset({"interpret-as", "format"}),
    "sub": frozenset({"alias"}),
    "prosody": frozenset({"rate", "pitch", "volume"}),
    "voice": frozenset({"name", "xml:lang"}),
    "emphasis": frozenset({"level"}),
}
"""The elements, and the attributes of each."""
_ENDS_EARLY = frozenset(
    expat.errors.codes[each]
    for each in (
        expat.errors.XML_ERROR_NO_ELEMENTS,
        expat.errors.XML_ERROR_UNCLOSED_TOKEN,
        expat.errors.XML_ERROR_UNCLOSED_CDATA_SECTION,
    )
)
_REPLACED = frozenset({"phoneme", "say-as", "sub"})
"""Elements whose text is read in another way. They hold nothing but text."""


def is_ssml(text: str) -> bool:
    """Tell whether a text is SSML: whether it begins with ``<speak>``. All other text is spoken as it is."""
    return bool(_BEGINS.match(text))


def read_ssml(
    text: str, delivery: Delivery, *, voices: Collection[str], syllables: Collection[str], max_characters: int
) -> Script:
    """Return the script of an SSML document.

    ``delivery`` is that of the request, on which the document builds. ``syllables`` are those that the engine lets a
    text pin. At most ``max_characters`` may be spoken, not counting markup. Raises ScriptError with the position.
    """
    return _Reader(text, delivery, voices, syllables, max_characters).read()


@dataclass(frozen=True, slots=True)
class _Element:
    """An open element. ``delivery`` is how its content is spoken, ``position`` where its start tag begins."""

    name: str
    attributes: Mapping[str, str]
    delivery: Delivery
    position: tuple[int, int]


class _Reader:
    def __init__(
        self, text: str, delivery: Delivery, voices: Collection[str], syllables: Collection[str], max_characters: int
    ) -> None:
        self._text = text
        self._base = delivery
        self._voices = voices
        self._syllables = syllables
        self._max_characters = max_characters
        self._open: list[_Element] = []
        self._content = ""
        """The text of the open element, if it is one of those that are read in another way."""
        self._script: list[Run | Break] = []
        self._boundary = ""
        """``s`` or ``p`` if a sentence or a paragraph ends before the next word."""
        self._characters = 0
        self._break_seconds = 0.0
        parser = self._parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = self._refuse_doctype
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters_found

    def read(self) -> Script:
        try:
            self._parser.Parse(self._text, True)
        except expat.ExpatError as error:
            self._fail(self._explained(error), at=(error.lineno, error.offset + 1))
        return tuple(self._script)

    # Called by expat

    def _refuse_doctype(self, *_: object) -> None:
        self._fail("A DOCTYPE is not allowed. Remove it, and write entities as characters, such as &#160;.")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        parent = self._open[-1] if self._open else None
        self._check(name, attributes, parent)
        delivery = parent.delivery if parent else self._base
        element = _Element(name, attributes, delivery, self._position())
        self._open.append(replace(element, delivery=self._delivery(element)))
        if name in {"p", "s"}:
            self._end_sentence(name)
        elif name == "break":
            self._add_break(element)

    def _end(self, name: str) -> None:
        element = self._open.pop()
        if name in {"p", "s"}:
            self._end_sentence(name)
        elif name in _REPLACED:
            content, self._content = self._content, ""
            self._add_replaced(element, _BLANK.sub(" ", content).strip())

    def _characters_found(self, text: str) -> None:
        element = self._open[-1]
        if element.name in _REPLACED:
            self._content += text
        elif element.name == "break":
            self._fail("<break> must be empty. Write <break/>.", at=element.position)
        else:
            self._add(Run(_BLANK.sub(" ", text), element.delivery))

    # What an element means

    def _check(self, name: str, attributes: Mapping[str, str], parent: _Element | None) -> None:
        """Refuse elements and attributes that have no effect here."""
        if name not in _ATTRIBUTES:
            self._fail(f"<{name}> is not supported. The elements are {', '.join(_ATTRIBUTES)}.")
        if (name == "speak") != (parent is None):
            self._fail("<speak> must be the outermost element, and occur once.")
        if parent and (parent.name in _REPLACED or parent.name == "break"):
            self._fail(f"<{parent.name}> must not contain elements, but contains <{name}>.")
        if len(self._open) == MAX_DEPTH:
            self._fail(f"Elements are nested more than {MAX_DEPTH} deep.")
        for attribute, value in attributes.items():
            if attribute not in _ATTRIBUTES[name]:
                allowed = ", ".join(sorted(_ATTRIBUTES[name]))
                self._fail(f"<{name}> has no attribute {attribute!r} here. Its attributes are {allowed}.")
            if attribute == "xml:lang" and not re.match(r"(zh|cmn)\b", value, re.IGNORECASE):
                self._fail(f"xml:lang is {value!r}, but the voices speak only Mandarin: zh-CN.")

    def _delivery(self, element: _Element) -> Delivery:
        delivery, attributes = element.delivery, element.attributes
        if element.name == "voice":
            return replace(delivery, voice=self._voice(self._required(element, "name")))
        if element.name == "prosody":
            if not attributes:
                self._fail("<prosody> needs rate, pitch or volume.")
            for attribute, value in attributes.items():
                delivery = self._valid(element, with_prosody, delivery, self._base, attribute, value)
        elif element.name == "emphasis":
            delivery = self._valid(element, with_emphasis, delivery, attributes.get("level", "moderate"))
        return delivery

    def _voice(self, name: str) -> str:
        if name not in self._voices:
            self._fail(f"Unknown voice {name!r}. Available voices: {', '.join(self._voices)}.", code="unknown_voice")
        return name

    def _add_break(self, element: _Element) -> None:
        attributes = element.attributes
        seconds = self._valid(element, break_seconds, attributes.get("time"), attributes.get("strength"))
        self._break_seconds += seconds
        if self._break_seconds > MAX_TOTAL_BREAK_SECONDS:
            self._fail(f"All breaks together are longer than {MAX_TOTAL_BREAK_SECONDS:g} s.")
        self._boundary = ""
        self._script.append(Break(seconds))

    def _add_replaced(self, element: _Element, content: str) -> None:
        """Add the text of an element that says how to read it."""
        if element.name == "sub":
            self._add(Run(self._required(element, "alias"), element.delivery, origin="sub"))
        elif element.name == "say-as":
            kind, form = self._required(element, "interpret-as"), element.attributes.get("format", "")
            spoken = self._valid(element, say_as, kind, content, form)
            self._add(Run(spoken, element.delivery, origin="say-as"), characters=len(content))
        else:
            if not content:
                self._fail("<phoneme> must contain the text whose reading it gives.", at=element.position)
            self._add(Run(content, element.delivery, self._reading(element), "phoneme"))

    def _reading(self, element: _Element) -> tuple[str, ...]:
        alphabet = element.attributes.get("alphabet", "")
        if alphabet != "pinyin":
            self._fail(f'<phoneme> needs alphabet="pinyin", not {alphabet!r}.', at=element.position)
        if not self._syllables:
            self._fail(
                "This server's engine decides readings by itself, so <phoneme> is not supported. "
                'Write <sub alias="..."> with characters of the same sound.',
                at=element.position,
            )
        pinyin = self._valid(element, parse_pinyin, self._required(element, "ph"))
        unknown = unknown_syllable(pinyin, self._syllables)
        if unknown:
            self._fail(f"The voice has no syllable {unknown!r}. Write ü as v, as in nv3.", at=element.position)
        return pinyin

    def _end_sentence(self, name: str) -> None:
        """Let a pause follow what was said so far, unless a break does."""
        if self._script and isinstance(self._script[-1], Run):
            self._boundary = min(self._boundary or name, name)  # p before s

    def _add(self, run: Run, *, characters: int | None = None) -> None:
        """Add what is said. ``characters`` of the document stand for it, if that is not the text of the run."""
        self._characters += max(len(run.text) if characters is None else characters, len(run.pinyin))
        if self._characters > self._max_characters:
            self._fail(
                f"The text to speak, without markup, has more than {self._max_characters} characters, the limit. "
                "Split the text into several requests.",
                code="input_too_long",
            )
        last = self._script[-1] if self._script else None
        if run.text.isspace() and (self._boundary or not isinstance(last, Run)):
            return
        if self._boundary and isinstance(last, Run):
            if self._boundary == "p":
                self._script.append(Break(PARAGRAPH_PAUSE_SECONDS / last.delivery.speed))
            elif last.text.rstrip()[-1:] not in _SENTENCE_ENDS:
                self._script.append(Run("。", last.delivery))
        self._boundary = ""
        self._script.append(run)

    # Errors

    def _required(self, element: _Element, attribute: str) -> str:
        value = element.attributes.get(attribute, "").strip()
        if not value:
            self._fail(f"<{element.name}> needs the attribute {attribute!r}.", at=element.position)
        return value

    def _valid(self, element: _Element, read: Callable[_P, _T], *arguments: _P.args, **more: _P.kwargs) -> _T:
        """Return what ``read`` returns, or raise its ValueError with the position of the element."""
        try:
            return read(*arguments, **more)
        except ValueError as error:
            self._fail(f"<{element.name}>: {error}", at=element.position)

    def _explained(self, error: expat.ExpatError) -> str:
        if error.code == expat.errors.codes[expat.errors.XML_ERROR_TAG_MISMATCH] and self._open:
            return f"Expected </{self._open[-1].name}>, because <{self._open[-1].name}> is open."
        if error.code == expat.errors.codes[expat.errors.XML_ERROR_UNDEFINED_ENTITY]:
            return "Unknown entity. Only &lt; &gt; &amp; &quot; &apos; and numbers such as &#160; are allowed."
        if error.code == expat.errors.codes[expat.errors.XML_ERROR_INVALID_TOKEN]:
            return "This is not valid XML. Write & as &amp; and < as &lt; in text, and quote the values of attributes."
        if error.code == expat.errors.codes[expat.errors.XML_ERROR_JUNK_AFTER_DOC_ELEMENT]:
            return "Nothing may follow </speak>."
        if error.code in _ENDS_EARLY and self._open:
            return f"The document ends, but <{self._open[-1].name}> is open."
        return f"This is not valid XML: {expat.ErrorString(error.code)}."

    def _position(self) -> tuple[int, int]:
        """Return the line and the column of what is being read, both from 1."""
        return self._parser.CurrentLineNumber, self._parser.CurrentColumnNumber + 1

    def _fail(self, message: str, *, at: tuple[int, int] | None = None, code: str = _CODE) -> NoReturn:
        line, column = at or self._position()
        raise ScriptError(f"SSML, line {line}, column {column}: {message}", code=code)
