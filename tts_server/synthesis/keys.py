"""The keys under which caches hold audio."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import astuple

from tts_server.engines import Engine, Sentence


def cache_key(engine: Engine, sentences: Sequence[Sentence]) -> str:
    """Return a digest of everything that determines the audio, with the text as the front end has prepared it."""
    inputs = [engine.name, engine.revision, [_sound(each) for each in sentences]]
    return hashlib.sha256(json.dumps(inputs).encode()).hexdigest()


def _sound(sentence: Sentence) -> tuple[object, ...]:
    """Return what decides how the sentence sounds, which is all but the origin of its parts."""
    readings = [(each.start, each.end, each.pinyin) for each in sentence.spans if each.pinyin]
    return sentence.text, sentence.pause, astuple(sentence.delivery), readings


def lexicon_of(key: str) -> str:
    """Return the end of a key in memory, which says under which lexicon of the service it was made."""
    return key[len(without_lexicon(key)) :]


def without_lexicon(key: str) -> str:
    """Return a key as other servers know it: what a lexicon has changed is part of the sentences."""
    return key.partition(".")[0]
