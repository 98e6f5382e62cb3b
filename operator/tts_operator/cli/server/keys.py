"""Which API key the plugin sends."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping

from tts_operator.cli.kubectl import Kubectl
from tts_operator.cli.refused import RefusedError, UnreachableError
from tts_operator.cli.view import SecretKey
from tts_operator.printable import one_line

VARIABLE = "TTS_API_KEY"
NAMES_MAX = 500


def api_key(kubectl: Kubectl, secret: SecretKey | None, wanted: str | None, environment: Mapping[str, str]) -> str:
    """Return the key to send, empty if the service needs none.

    It is that of the environment, or that in the Secret of the service, if the user may read it. Raises RefusedError.
    """
    given = environment.get(VARIABLE, "").strip()
    if given and wanted is None:
        if " " in given or not given.isprintable():
            raise RefusedError(
                f"{VARIABLE} is not an API key: it contains white space, or characters that are not UTF-8"
            )
        return given
    if secret is None:
        return ""
    try:
        text = kubectl.run("get", "secrets", secret.name, "--output=json")
    except UnreachableError as error:
        if "(Forbidden)" in str(error):
            raise RefusedError(
                f"the service needs an API key. Set {VARIABLE} to yours; you may not read the Secret {secret.name!r}, "
                "which has all of them"
            ) from None
        raise
    return choose(content(text, secret), wanted)


def content(text: str, secret: SecretKey) -> str:
    """Return the value of a Secret's key. Raises RefusedError."""
    encoded = (json.loads(text).get("data") or {}).get(secret.key)
    if encoded is None:
        raise RefusedError(f"the Secret {secret.name!r} has no key {secret.key!r}; set {VARIABLE} to your API key")
    return base64.b64decode(encoded).decode(errors="replace")


def choose(text: str, wanted: str | None) -> str:
    """Return the key with this name, or the only one. Raises RefusedError, which contains names only."""
    keys = {name: key for name, key in _named(text).items() if key.isprintable() and " " not in key}
    if wanted is not None:
        if wanted not in keys:
            raise RefusedError(f"no API key has the name {wanted!r}; there are {_list(keys)}")
        return keys[wanted]
    if len(keys) != 1:
        raise RefusedError(
            f"the service has {len(keys)} API keys. A job belongs to one of them: set {VARIABLE} to yours, or "
            f"choose one with --key-name: {_list(keys)}"
        )
    return next(iter(keys.values()))


def _named(text: str) -> dict[str, str]:
    """Return the keys by name. A plain list numbers them, as the server does."""
    if not text.lstrip().startswith("["):
        words = text.replace(",", " ").split()
        return {f"key-{number}": word for number, word in enumerate(words, start=1)}
    try:
        return {str(each["name"]): str(each["key"]) for each in json.loads(text)}
    except (ValueError, TypeError, KeyError, RecursionError):
        raise RefusedError(f"the service's Secret does not contain valid API keys; set {VARIABLE} to yours") from None


def _list(names: Mapping[str, str]) -> str:
    return one_line(", ".join(sorted(names)), NAMES_MAX) or "none"
