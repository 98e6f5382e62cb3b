"""What the upstream is asked for: the body of a request. Pure."""

import json
import re
from collections.abc import Mapping
from string import Template
from typing import Any

from tts_server.settings.upstream import UpstreamSettings
from tts_server.text.delivery import NEUTRAL, Delivery
from tts_server.text.sentences import Sentence

_HAN = re.compile(r"[\u3007\u3400-\u9fff\U00020000-\U0003ffff]")


class SpeechRequests:
    """Makes the body of each request from the settings."""

    def __init__(self, settings: UpstreamSettings) -> None:
        self._settings = settings
        self._voices = {each.id: each for each in settings.voices}
        self._bodies = {each.id: json.loads(each.body) for each in settings.voices}
        self._body = json.loads(settings.body or "{}")
        self._instructions = dict(settings.emotions)

    def body(self, sentence: Sentence) -> bytes:
        """Return the JSON object that asks for a sentence."""
        how, settings = sentence.delivery, self._settings
        voice, instructions = self._voices[how.voice], self._instructions.get(how.emotion, "")
        fields: dict[str, Any] = {
            "model": settings.model,
            "input": written(sentence.text),
            "voice": voice.theirs,
            "response_format": settings.response_format,
        }
        if instructions:
            fields["instructions"] = instructions
        if settings.takes_speed == "yes":
            fields["speed"] = how.speed
        names = {
            "voice": voice.theirs,
            "language": voice.language,
            "emotion": how.emotion,
            "instructions": instructions,
        }
        for extra in (self._body, self._bodies[how.voice]):
            fields |= {name: _filled(value, names) for name, value in extra.items()}
        return json.dumps({name: value for name, value in fields.items() if value is not None}).encode()


def emotions(settings: UpstreamSettings) -> tuple[str, ...]:
    """Return the emotions that can be asked for, ``neutral`` first."""
    return (NEUTRAL, *(name for name, _ in settings.emotions if name != NEUTRAL))


def written(text: str) -> str:
    """Return a sentence as it is written: with full-width signs in Chinese text, and with one at its end.

    Sentences have a comma for a short pause, and no sign at their end but a question mark. Models hear the melody of a
    sentence in its signs.
    """
    chinese = bool(_HAN.search(text))
    comma, stop, question = ("，", "。", "？") if chinese else (", ", ".", "?")
    ending = question if text.endswith("?") else stop
    return text.removesuffix("?").replace(",", comma).strip() + ending


def _filled(value: Any, names: Mapping[str, str]) -> Any:
    """Return a value whose strings have their placeholders filled in."""
    if isinstance(value, str):
        return Template(value).substitute(names)
    if isinstance(value, dict):
        return {name: _filled(each, names) for name, each in value.items()}
    return [_filled(each, names) for each in value] if isinstance(value, list) else value


def check_sentence(voice: str, language: str) -> Sentence:
    """Return what a voice says so that its sound can be checked."""
    chinese = language.lower().startswith(("zh", "cmn", "yue"))
    text, syllables = ("您好,这是一次语音检查", 10) if chinese else ("Hello, this is a test of the voice", 9)
    return Sentence(text, syllables, 0.0, Delivery(voice))
