"""API keys: who may speak."""

import hashlib
import hmac
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tts_server.auth.tokens import Tokens

_LONGEST_TOKEN = 512
"""In characters; the operator's have about 270. So what a wrong one costs is bounded."""
_BEGINNING = "eyJ"
"""The base64url of `{"`, as which the header of every compact JWT begins."""


class Keys:
    """The keys that are taken. Only digests are kept, and comparing takes as long for a near miss as for a far one."""

    def __init__(self, keys: tuple[str, ...], *, probe: str = "", tokens: "Tokens | None" = None) -> None:
        """`probe` is one more key, and `tokens` are taken as well, where there are any keys."""
        more = (probe,) if keys and probe else ()
        self._digests = tuple(_digest(key) for key in (*keys, *more))
        self._tokens = tokens

    def accept(self, authorization: str) -> bool:
        """Whether a request with this header may speak; without keys every one may."""
        key = _bearer(authorization)
        given = _digest(key)
        found = [hmac.compare_digest(given, each) for each in self._digests]
        if not found or any(found):
            return True
        return self._tokens is not None and _is_like_a_token(key) and self._tokens.accept(key)

    def may_expire(self, authorization: str) -> bool:
        """Whether a request with this header may be let in now, and an equal one later not."""
        return self._tokens is not None and _is_like_a_token(_bearer(authorization))


def _bearer(authorization: str) -> str:
    scheme, _, given = authorization.partition(" ")
    return given.strip() if scheme.lower() == "bearer" else ""


def _is_like_a_token(key: str) -> bool:
    """Told without reading it: the requests of clients, whose keys are none, need not wait for a signature."""
    return key.startswith(_BEGINNING) and len(key) <= _LONGEST_TOKEN and key.count(".") == 2 and key.isascii()  # noqa: PLR2004 - header, payload, signature


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()
