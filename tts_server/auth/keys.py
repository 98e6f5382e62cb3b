"""API keys: who may speak."""

import hashlib
import hmac
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tts_server.apikeys import ANONYMOUS, OPERATOR, ApiKey

if TYPE_CHECKING:
    from tts_server.auth.tokens import Tokens

_MAX_TOKEN_CHARACTERS = 512
"""Bounds the cost of an invalid token. The operator's tokens have about 270 characters."""
_JWT_PREFIX = "eyJ"
"""The base64url form of `{"`, with which the header of every compact JWT begins."""


class Keys:
    """The accepted API keys. Only digests are kept, and comparisons take constant time."""

    def __init__(self, keys: Sequence[ApiKey], *, probe: str = "", tokens: "Tokens | None" = None) -> None:
        """Accept `keys` and, if there are any, also the key `probe` and `tokens`."""
        self._keys = [(_digest(each.key), each) for each in keys]
        if keys and probe:
            self._keys.append((_digest(probe), OPERATOR))
        self._tokens = tokens

    def identify(self, authorization: str) -> ApiKey | None:
        """Return whose key is in this Authorization header, or None if the request may not speak.

        Without keys, every request may.
        """
        if not self._keys:
            return ANONYMOUS
        key = _bearer(authorization)
        given = hashlib.sha256(_sent_bytes(key)).digest()
        matches = [each for digest, each in self._keys if hmac.compare_digest(given, digest)]
        if matches:
            return matches[0]
        accepted = self._tokens is not None and _looks_like_token(key) and self._tokens.accept(key)
        return OPERATOR if accepted else None

    def accept(self, authorization: str) -> bool:
        """Return whether a request with this Authorization header may speak."""
        return self.identify(authorization) is not None

    def may_expire(self, authorization: str) -> bool:
        """Return whether a request with this Authorization header might be accepted now and refused later."""
        return self._tokens is not None and _looks_like_token(_bearer(authorization))


def _bearer(authorization: str) -> str:
    scheme, _, given = authorization.partition(" ")
    # Not all white space, which in Latin-1 may be the last byte of a character.
    return given.strip(" \t") if scheme.lower() == "bearer" else ""


def _looks_like_token(key: str) -> bool:
    """Return whether to verify a signature at all, which ordinary API keys do not need."""
    return key.startswith(_JWT_PREFIX) and len(key) <= _MAX_TOKEN_CHARACTERS and key.count(".") == 2 and key.isascii()  # noqa: PLR2004 - header, payload, signature


def _sent_bytes(key: str) -> bytes:
    """Return the key as the client has sent it: UTF-8, which WSGI passes as Latin-1."""
    try:
        return key.encode("latin-1")
    except UnicodeEncodeError:  # not from a WSGI server
        return key.encode()


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()
