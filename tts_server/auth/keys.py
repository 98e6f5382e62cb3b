"""API keys: who may speak."""

import hashlib
import hmac
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tts_server.auth.tokens import Tokens

_MAX_TOKEN_CHARACTERS = 512
"""Bounds the cost of an invalid token. The operator's tokens have about 270 characters."""
_JWT_PREFIX = "eyJ"
"""The base64url form of `{"`, with which the header of every compact JWT begins."""


class Keys:
    """The accepted API keys. Only digests are kept, and comparisons take constant time."""

    def __init__(self, keys: tuple[str, ...], *, probe: str = "", tokens: "Tokens | None" = None) -> None:
        """Accept `keys` and, if there are any, also the key `probe` and `tokens`."""
        more = (probe,) if keys and probe else ()
        self._digests = tuple(_digest(key) for key in (*keys, *more))
        self._tokens = tokens

    def accept(self, authorization: str) -> bool:
        """Return whether a request with this Authorization header may speak. Without keys, every request may."""
        key = _bearer(authorization)
        given = hashlib.sha256(bearer_bytes(authorization)).digest()
        matches = [hmac.compare_digest(given, each) for each in self._digests]
        if not matches or any(matches):
            return True
        return self._tokens is not None and _looks_like_token(key) and self._tokens.accept(key)

    def may_expire(self, authorization: str) -> bool:
        """Return whether a request with this Authorization header might be accepted now and refused later."""
        return self._tokens is not None and _looks_like_token(_bearer(authorization))


def _bearer(authorization: str) -> str:
    scheme, _, given = authorization.partition(" ")
    return given.strip() if scheme.lower() == "bearer" else ""


def _looks_like_token(key: str) -> bool:
    """Return whether to verify a signature at all, which ordinary API keys do not need."""
    return key.startswith(_JWT_PREFIX) and len(key) <= _MAX_TOKEN_CHARACTERS and key.count(".") == 2 and key.isascii()  # noqa: PLR2004 - header, payload, signature


def bearer_bytes(authorization: str) -> bytes:
    """Return the key in an Authorization header as the client has sent it: UTF-8, which WSGI passes as Latin-1."""
    key = _bearer(authorization)
    try:
        return key.encode("latin-1")
    except UnicodeEncodeError:  # not from a WSGI server
        return key.encode()


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()
