"""``POST /v1/audio/phonemes``: how a text is read, for whoever wants to know why it sounds as it does."""

import json
from collections.abc import Sequence
from typing import Any

from flask import Blueprint, Response

from tts_server.api.context import context
from tts_server.api.endpoints.speech import read_speech_request, utterance_of
from tts_server.api.endpoints.speech_responses import check_ready, refusals
from tts_server.engines import Engine, Sentence, SpokenSyllable
from tts_server.text.normalise import normalise_with_trace
from tts_server.text.script import TEXT, Run, Script

blueprint = Blueprint("phonemes", __name__)


@blueprint.post("/v1/audio/phonemes")
def phonemes() -> Response:
    """Return how the front end reads a text. The request is that of ``/v1/audio/speech``; nothing is spoken."""
    parsed = read_speech_request()
    check_ready()
    service = context().service
    with refusals("input"):
        script = service.script(utterance_of(parsed))
        sentences = service.engine.plan(script)
    # Not jsonify, which would escape every Chinese character: people read this.
    return Response(
        json.dumps(described(service.engine, script, sentences), ensure_ascii=False), mimetype="application/json"
    )


def described(engine: Engine, script: Script, sentences: Sequence[Sentence]) -> dict[str, Any]:
    """Return the JSON object that describes a script and the sentences that were planned for it."""
    return {
        "engine": engine.name,
        "revision": engine.revision,
        "normalized": "".join(map(_punctuated, sentences)),
        "rules": [
            {"written": use.source, "spoken": use.spoken, "rules": list(use.rules)}
            for run in script
            if isinstance(run, Run) and not run.pinyin
            for use in normalise_with_trace(run.text)[1]
        ],
        "sentences": [_sentence(engine, each) for each in sentences],
    }


def _punctuated(sentence: Sentence) -> str:
    return sentence.text + ("。" if sentence.pause and not sentence.text.endswith("?") else "")


def _sentence(engine: Engine, sentence: Sentence) -> dict[str, Any]:
    how = sentence.delivery
    return {
        "text": sentence.text,
        "voice": how.voice,
        "emotion": how.emotion,
        "speed": how.speed,
        "pitch": how.pitch,
        "volume": how.volume,
        "pause": round(sentence.pause, 3),
        "clauses": _clauses(engine, sentence),
    }


def _clauses(engine: Engine, sentence: Sentence) -> list[dict[str, Any]] | None:
    pronounced = engine.pronounce(sentence)
    if pronounced is None:
        return None
    clauses: list[list[dict[str, Any]]] = [[]]
    at = 0
    for each in pronounced:
        if each is None:
            clauses.append([])
            continue
        found = sentence.text.find(each.text, at)
        start = found if each.text and found >= 0 else max(at - 1, 0)  # no text: within the same word
        at = max(at, start + len(each.text))
        clauses[-1].append(_syllable(each, _source(sentence, start)))
    return [{"text": "".join(each["text"] for each in clause), "syllables": clause} for clause in clauses if clause]


def _syllable(syllable: SpokenSyllable, source: str) -> dict[str, Any]:
    return {
        "text": syllable.text,
        "pinyin": syllable.pinyin,
        "phonemes": list(syllable.phonemes),
        "source": source,
        "reading": syllable.origin,
    }


def _source(sentence: Sentence, at: int) -> str:
    """Return where the character at this place comes from. One that is pinned still stands in the text."""
    here = next((each for each in sentence.spans if each.start <= at < each.end), None)
    return TEXT if here is None or here.pinyin else here.origin
