"""Signed links: URLs that may speak one text until they expire, for players that cannot send an Authorization header.

The signature is an HMAC-SHA256 (RFC 2104) with a key that is derived from an API key. So all servers with the same API
keys accept the same links, and whoever withdraws an API key withdraws its links.
"""

import base64
import hashlib
import hmac
import time
from collections.abc import Mapping, Sequence
from urllib.parse import urlencode

EXPIRES = "expires"
SIGNATURE = "signature"
_PURPOSE = b"tts-server signed link 1"
_MAX_EXPIRES_DIGITS = 12


class Links:
    """Signs and checks links. A link has parameters, of which one is the time when it expires, in Unix time."""

    def __init__(self, api_keys: Sequence[str]) -> None:
        self._keys = [_link_key(each.encode("utf-8", "surrogateescape")) for each in api_keys]

    @property
    def needed(self) -> bool:
        """Whether a request without an API key needs a signature to speak."""
        return bool(self._keys)

    def sign(self, path: str, parameters: Mapping[str, str], *, lifetime: int, api_key: bytes) -> dict[str, str]:
        """Return the parameters with the time when they expire, ``lifetime`` seconds from now, and their signature.

        ``api_key`` is the caller's. If it is no API key but a token, the first API key signs.
        """
        given = _link_key(api_key)
        key = next((each for each in self._keys if hmac.compare_digest(each, given)), self._keys[0])
        signed = {**parameters, EXPIRES: str(int(time.time()) + lifetime)}
        return {**signed, SIGNATURE: _signature(key, path, signed)}

    def signer(self, path: str, parameters: Mapping[str, str]) -> int | None:
        """Return which API key has signed the link, as its index, or None if none has or the link has expired."""
        signed = {name: value for name, value in parameters.items() if name != SIGNATURE}
        given, expires = parameters.get(SIGNATURE, "").encode("utf-8", "replace"), signed.get(EXPIRES, "")
        # Compare with all keys, so that the time does not depend on which one matches.
        matches = [hmac.compare_digest(_signature(key, path, signed).encode(), given) for key in self._keys]
        if not (expires.isascii() and expires.isdecimal() and len(expires) <= _MAX_EXPIRES_DIGITS):
            return None
        return matches.index(True) if any(matches) and time.time() < int(expires) else None


def _link_key(api_key: bytes) -> bytes:
    # Not the API key itself, so that a signature is of no use for anything else that the key may sign.
    return hmac.digest(api_key, _PURPOSE, hashlib.sha256)


def _signature(key: bytes, path: str, parameters: Mapping[str, str]) -> str:
    message = f"{path}?{urlencode(sorted(parameters.items()), errors='surrogatepass')}"
    return base64.urlsafe_b64encode(hmac.digest(key, message.encode(), hashlib.sha256)).decode().rstrip("=")
