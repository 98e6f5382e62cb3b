"""The JSON schemas of responses, for the OpenAPI document."""

from typing import Any

_STRING = {"type": "string"}
_NULLABLE_STRING = {"type": ["string", "null"]}
_NUMBER = {"type": "number"}
_SECONDS = {"type": "number", "minimum": 0}
_SYLLABLE = {
    "text": {"type": "string", "description": "What is read, empty for all but the first syllable of several."},
    "pinyin": {"type": "string", "description": "The reading, with its tone as spoken."},
    "phonemes": {"type": "array", "items": _STRING, "description": "The model's names of its sounds."},
    "source": {
        "type": "string",
        "description": "Where the characters come from: text, lexicon, service_lexicon, sub or say-as.",
    },
    "reading": {
        "type": "string",
        "description": "What decided on the pinyin: character, phrase, word, context, surname, particle, latin, "
        "phoneme, lexicon or service_lexicon.",
    },
}


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "required": list(properties), "properties": properties}


def _entries(**fields: dict[str, Any]) -> dict[str, Any]:
    entry = {"type": "object", "required": list(fields), "properties": fields}
    return {"type": "array", "items": entry}


ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["message", "type", "param", "code"],
            "properties": {
                "message": {"type": "string"},
                "type": {"enum": ["invalid_request_error", "server_error", "tokens", "requests", "insufficient_quota"]},
                "param": _NULLABLE_STRING,
                "code": {"type": "string"},
            },
        }
    },
}
TIMESTAMPS = {
    "type": "object",
    "required": ["duration"],
    "properties": {
        "duration": _SECONDS,
        "segments": _entries(id={"type": "integer"}, start=_SECONDS, end=_SECONDS, text={"type": "string"}),
        "words": _entries(word={"type": "string"}, start=_SECONDS, end=_SECONDS, segment={"type": "integer"}),
        "phonemes": _entries(phoneme={"type": "string"}, start=_SECONDS, end=_SECONDS),
        "visemes": _entries(viseme_id={"type": "integer", "minimum": 0, "maximum": 21}, start=_SECONDS),
    },
}
PHONEMES = _object(
    {
        "engine": _STRING,
        "revision": _STRING,
        "normalized": {"type": "string", "description": "The whole text as it is spoken."},
        "rules": {
            "type": "array",
            "description": "What rules of normalization have rewritten, in the order of the text.",
            "items": _object({"written": _STRING, "spoken": _STRING, "rules": {"type": "array", "items": _STRING}}),
        },
        "sentences": {
            "type": "array",
            "items": _object(
                {
                    "text": _STRING,
                    "voice": _STRING,
                    "emotion": _STRING,
                    "speed": _NUMBER,
                    "pitch": _NUMBER,
                    "volume": _NUMBER,
                    "pause": {"type": "number", "description": "The silence that follows, in seconds."},
                    "clauses": {
                        "type": ["array", "null"],
                        "description": "The parts between short pauses. Null if the engine keeps its readings.",
                        "items": _object(
                            {"text": _STRING, "syllables": {"type": "array", "items": _object(_SYLLABLE)}}
                        ),
                    },
                }
            ),
        },
    }
)
