"""The settings of the engine ``upstream``, and what may be written in those that are JSON."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from string import Template
from typing import Any
from urllib.parse import urlsplit

from tts_server.settings.fields import setting

PLACEHOLDERS = ("voice", "language", "emotion", "instructions")
"""What a string in an extra field may contain, as ``${voice}``."""
RESERVED = ("input", "response_format")
"""The fields of the request that the engine decides by itself."""
_MAX_VOICES = 500
_MAX_EMOTIONS = 50
_MAX_JSON_CHARACTERS = 65_536
_MAX_NAME_CHARACTERS = 200
# As in the URLs and forms of the API, and in what the web page lists.
_ID = re.compile(r"[^\s,\x00-\x1f\x7f]{1,100}")
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}")
_DEFAULT_LANGUAGE = "zh-CN"


class UpstreamSettingError(ValueError):
    """A value is wrong. The message follows the name of its variable, and says what to write instead."""


@dataclass(frozen=True, slots=True)
class UpstreamVoice:
    """A voice that the server offers, and how the upstream is asked for it."""

    id: str
    theirs: str
    """Its name at the upstream."""
    language: str = _DEFAULT_LANGUAGE
    """A BCP 47 tag."""
    name: str = ""
    """What people see. If empty, the id."""
    body: str = "{}"
    """More fields of its requests, as a JSON object."""


def parse_url(text: str) -> str:
    """Return the URL of an upstream without a slash at its end, and with ``/v1`` if it has no path.

    Raises UpstreamSettingError.
    """
    try:
        url = urlsplit(text)
        port = url.port
        (url.hostname or "").encode("idna")
    except ValueError:
        raise UpstreamSettingError("is not a URL. Write one such as http://kokoro:8880/v1.") from None
    if url.scheme not in ("http", "https") or not url.hostname or port == 0:
        raise UpstreamSettingError("must be a URL with http or https, such as http://kokoro:8880/v1.")
    if url.username is not None or url.password is not None:
        # Without the value, which contains a password.
        raise UpstreamSettingError("must not contain a user name. Put the key into TTS_UPSTREAM_API_KEY.")
    if url.query or url.fragment or not text.isascii() or re.search(r"[\s\x00-\x1f\x7f]", text):
        raise UpstreamSettingError("must end with its path, such as http://kokoro:8880/v1.")
    return text.rstrip("/") + ("" if url.path.rstrip("/") else "/v1")


def parse_path(text: str) -> str:
    """Return a path on the upstream's host. Raises UpstreamSettingError."""
    if not text.isascii() or re.search(r"[\s\x00-\x1f\x7f#]", text) or not text.startswith("/"):
        raise UpstreamSettingError("must be a path that begins with '/', such as /health.")
    return text


def parse_voices(text: str) -> tuple[UpstreamVoice, ...]:
    """Return the voices of a list of names, or of a JSON object: for each name that of the upstream, or an object.

    Raises UpstreamSettingError.
    """
    if not text.lstrip().startswith("{"):
        voices = tuple(UpstreamVoice(_name(word, "voice"), word) for word in text.replace(",", " ").split())
    else:
        voices = tuple(_voice(_name(name, "voice"), entry) for name, entry in _object(text).items())
    if not 1 <= len(voices) <= _MAX_VOICES:
        raise UpstreamSettingError(f"must have from 1 to {_MAX_VOICES} voices, not {len(voices)}.")
    if len({each.id for each in voices}) < len(voices):
        raise UpstreamSettingError("has a voice twice.")
    return voices


def parse_emotions(text: str) -> tuple[tuple[str, str], ...]:
    """Return (emotion, instructions) pairs of a JSON object. Raises UpstreamSettingError."""
    emotions = _object(text)
    if len(emotions) > _MAX_EMOTIONS:
        raise UpstreamSettingError(f"must have at most {_MAX_EMOTIONS} emotions, not {len(emotions)}.")
    for name, instructions in emotions.items():
        if not isinstance(instructions, str):
            place = _name(name, "emotion")
            raise UpstreamSettingError(f'.{place} must be the instructions for the upstream, such as "Speak happily.".')
    return tuple((_name(name, "emotion"), instructions) for name, instructions in emotions.items())


def parse_body(text: str) -> str:
    """Return a JSON object of extra fields as it was written. Raises UpstreamSettingError."""
    _check_body(_object(text), "")
    return text


def _name(text: str, kind: str) -> str:
    if not _ID.fullmatch(text):
        raise UpstreamSettingError(
            f"has the {kind} {text[:100]!r}. A name has up to 100 characters without spaces or commas."
        )
    return text


def _voice(name: str, entry: object) -> UpstreamVoice:
    if isinstance(entry, str):
        entry = {"voice": entry}
    if not isinstance(entry, Mapping):
        raise UpstreamSettingError(
            f'.{name} must be its name at the upstream, or {{"voice": "...", "language": "zh-CN"}}.'
        )
    unknown = sorted(set(entry) - {"voice", "language", "name", "body"})
    if unknown:
        raise UpstreamSettingError(
            f".{name} has the unknown field {unknown[0][:100]!r}. Known are voice, language, name, body."
        )
    theirs, language = entry.get("voice", name), entry.get("language", _DEFAULT_LANGUAGE)
    shown, body = entry.get("name", ""), entry.get("body", {})
    if not isinstance(theirs, str) or not 0 < len(theirs) <= _MAX_NAME_CHARACTERS:
        raise UpstreamSettingError(f".{name}.voice must be the voice's name at the upstream.")
    if not isinstance(language, str) or not _LANGUAGE.fullmatch(language):
        raise UpstreamSettingError(f".{name}.language must be a language tag, such as zh-CN or en.")
    if not isinstance(shown, str) or len(shown) > _MAX_NAME_CHARACTERS:
        raise UpstreamSettingError(
            f".{name}.name must be what people see, in at most {_MAX_NAME_CHARACTERS} characters."
        )
    if not isinstance(body, dict):
        raise UpstreamSettingError(f'.{name}.body must be an object with more fields, such as {{"seed": 1}}.')
    _check_body(body, f".{name}.body")
    return UpstreamVoice(name, theirs, language, shown, json.dumps(body))


def _check_body(body: Mapping[str, Any], place: str) -> None:
    for name in RESERVED:
        if name in body:
            raise UpstreamSettingError(f"{place} must not have the field {name!r}, which the server fills in.".lstrip())
    for text in _strings(body):
        try:
            Template(text).substitute(dict.fromkeys(PLACEHOLDERS, ""))
        except (KeyError, ValueError):
            names = ", ".join(f"${{{each}}}" for each in PLACEHOLDERS)
            raise UpstreamSettingError(
                f"{place} has the text {text[:100]!r}. It may contain {names}. Write $$ for a dollar sign.".lstrip()
            ) from None


def _strings(value: object) -> "list[str]":
    if isinstance(value, str):
        return [value]
    if isinstance(value, Mapping):
        return [text for each in value.values() for text in _strings(each)]
    return [text for each in value for text in _strings(each)] if isinstance(value, list) else []


def _object(text: str) -> dict[str, Any]:
    if len(text) > _MAX_JSON_CHARACTERS:
        raise UpstreamSettingError(f"must have at most {_MAX_JSON_CHARACTERS} characters.")
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        raise UpstreamSettingError("is not valid JSON.") from None
    if not isinstance(value, dict):
        raise UpstreamSettingError("must be a JSON object, such as {...}.")
    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamSettings:
    """Where the upstream is, how it is asked, and how long it may take."""

    url: str = setting(
        "TTS_UPSTREAM_URL",
        "",
        "The server with OpenAI's speech API, such as http://kokoro:8880/v1. Only for upstream.",
        parse=parse_url,
    )
    model: str = setting("TTS_UPSTREAM_MODEL", "tts-1", "The model that the upstream is asked for.")
    voices: tuple[UpstreamVoice, ...] = setting(
        "TTS_UPSTREAM_VOICES",
        (),
        "The upstream's voices, the default one first: names separated by commas or spaces, or a JSON object.",
        parse=parse_voices,
    )
    emotions: tuple[tuple[str, str], ...] = setting(
        "TTS_UPSTREAM_EMOTIONS",
        (),
        "A JSON object with `instructions` for each emotion. If empty, only neutral.",
        parse=parse_emotions,
    )
    body: str = setting(
        "TTS_UPSTREAM_BODY",
        "",
        "A JSON object with more fields for each request. A field that is null is left out.",
        parse=parse_body,
    )
    api_key: str = setting(
        "TTS_UPSTREAM_API_KEY", "", "The key that the upstream asks for. If empty, none.", secret=True
    )
    api_key_file: str = setting("TTS_UPSTREAM_API_KEY_FILE", "", "A file with that key, read again for each request.")
    ca_file: str = setting(
        "TTS_UPSTREAM_CA_FILE",
        "",
        "A PEM file with the certificates that the upstream's own must be signed by, for https://. If empty, those of "
        "the system.",
    )
    response_format: str = setting(
        "TTS_UPSTREAM_FORMAT",
        "wav",
        "The format that the upstream is asked for. Take pcm if it streams only that.",
        choices=("wav", "pcm"),
    )
    sample_rate: int = setting(
        "TTS_UPSTREAM_SAMPLE_RATE",
        24_000,
        "The sample rate of the engine in Hz, and of PCM whose response does not name another one. Other rates are "
        "converted.",
        low=8_000,
        high=48_000,
    )
    takes_speed: str = setting(
        "TTS_UPSTREAM_TAKES_SPEED",
        "no",
        "Whether the upstream follows `speed`. If not, this server changes the speed of the audio.",
        choices=("no", "yes"),
    )
    sentence_syllables: int = setting(
        "TTS_UPSTREAM_SENTENCE_SYLLABLES",
        40,
        "The longest text of a request to the upstream, in syllables. Longer texts become several requests.",
        low=5,
        high=200,
    )
    ready_path: str = setting(
        "TTS_UPSTREAM_READY_PATH",
        "/health",
        "The path that answers GET with 200 while the upstream is ready.",
        parse=parse_path,
    )
    ready_seconds: float = setting(
        "TTS_UPSTREAM_READY_SECONDS", 3.0, "How long that answer may take.", low=0.1, high=60
    )
    connect_seconds: float = setting(
        "TTS_UPSTREAM_CONNECT_SECONDS", 2.0, "How long a connection to the upstream may take.", low=0.1, high=60
    )
    first_byte_seconds: float = setting(
        "TTS_UPSTREAM_FIRST_BYTE_SECONDS",
        10.0,
        "How long the first audio of a request may take. All of it may take this and as long as the audio may be.",
        low=0.1,
        high=600,
    )
    idle_seconds: float = setting(
        "TTS_UPSTREAM_IDLE_SECONDS", 5.0, "How long the audio may pause after that.", low=0.1, high=600
    )
    revision: str = setting(
        "TTS_UPSTREAM_REVISION",
        "",
        "What tells this version of the upstream from others, such as its image's digest. Change it whenever the sound "
        "changes, because cached audio belongs to it.",
    )
