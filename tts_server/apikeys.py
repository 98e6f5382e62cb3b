"""API keys, their names, and how much they may use: the value of ``TTS_API_KEYS``."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

MAX_KEYS = 1000
"""Bounds the number of series per metric: each key has a name, and each name is a label."""
_MAX_LIMIT = 10**12
_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")
_RESERVED = ("anonymous", "operator")
_LIMITS = {
    "charactersPerMinute": "characters_per_minute",
    "charactersPerDay": "characters_per_day",
    "streams": "streams",
}


class ApiKeysError(ValueError):
    """The value is invalid. The message contains no key."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one key may use. None means without a limit."""

    characters_per_minute: int | None = None
    characters_per_day: int | None = None
    streams: int | None = None
    """How many texts may be spoken at the same time."""


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key that may speak. Logs and metrics contain its name only."""

    name: str
    key: str = field(repr=False)
    limits: Limits = Limits()


ANONYMOUS = ApiKey("anonymous", "")
"""Who speaks without a key, where none is required."""
OPERATOR = ApiKey("operator", "")
"""The operator, which checks the speech of its pods. It has no limits."""


def parse_api_keys(text: str) -> tuple[ApiKey, ...]:
    """Return the keys of a list, or of a JSON array of objects, which can give them names and limits.

    The keys of a list are named key-1, key-2 and so on. Raises :class:`ApiKeysError`.
    """
    if text.lstrip().startswith("["):
        keys = _from_json(text)
    else:
        words = text.replace(",", " ").split()
        keys = tuple(ApiKey(f"key-{number}", word) for number, word in enumerate(words, start=1))
    if len(keys) > MAX_KEYS:
        raise ApiKeysError(f"has {len(keys)} keys, but at most {MAX_KEYS} are allowed.")
    return keys


def _from_json(text: str) -> tuple[ApiKey, ...]:
    try:
        entries = json.loads(text)
    except (ValueError, RecursionError):
        raise ApiKeysError("begins with '[' but is not valid JSON.") from None
    if not entries:
        raise ApiKeysError("is an empty array. Leave it out to require no key.")
    keys = tuple(_key(f"[{number}]", entry) for number, entry in enumerate(entries))
    for attribute, values in (("name", [each.name for each in keys]), ("key", [each.key for each in keys])):
        if len(set(values)) < len(values):
            raise ApiKeysError(f"has two entries with the same {attribute}.")
    return keys


def is_name(text: str) -> bool:
    """Return whether jobs may belong to a key of this name, or to ``anonymous``."""
    return bool(_NAME.fullmatch(text))


def _key(place: str, entry: object) -> ApiKey:
    if not isinstance(entry, Mapping):
        raise ApiKeysError(f'{place} must be an object, such as {{"name": "shop", "key": "..."}}.')
    unknown = set(entry) - {"name", "key", *_LIMITS}
    if unknown:
        # Not the names of the fields: somebody may have written a key as one.
        raise ApiKeysError(f"{place} has {len(unknown)} unknown fields. Allowed are name, key, {', '.join(_LIMITS)}.")
    name, key = entry.get("name"), entry.get("key")
    if not isinstance(name, str) or not _NAME.fullmatch(name) or name in _RESERVED:
        raise ApiKeysError(
            f"{place}.name must have 1 to 63 letters, digits, '.', '_' or '-', and not be {' or '.join(_RESERVED)}."
        )
    if not isinstance(key, str) or not key or key != "".join(key.split()):
        raise ApiKeysError(f"{place}.key must be a string without white space.")
    return ApiKey(name, key, Limits(**{field: _limit(place, name, entry) for name, field in _LIMITS.items()}))


def _limit(place: str, name: str, entry: Mapping[str, object]) -> int | None:
    value = entry.get(name)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= _MAX_LIMIT:
        raise ApiKeysError(f"{place}.{name} must be a whole number from 1 to {_MAX_LIMIT}.")
    return value
