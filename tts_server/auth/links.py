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

from tts_server.apikeys import ApiKey

EXPIRES = "expires"
SIGNATURE = "signature"
_PURPOSE = b"tts-server signed link 1"
_MAX_EXPIRES_DIGITS = 12


class Links:
    """Signs and checks links. A link has parameters, of which one is the time when it expires, in Unix time."""

    def __init__(self, keys: Sequence[ApiKey]) -> None:
        self._keys = [(_link_key(each.key), each) for each in keys]

    @property
    def needed(self) -> bool:
        """Whether a request without an API key needs a signature to speak."""
        return bool(self._keys)

    def sign(self, path: str, parameters: Mapping[str, str], *, lifetime: int, caller: ApiKey) -> dict[str, str]:
        """Return the parameters with the time when they expire, ``lifetime`` seconds from now, and their signature.

        ``caller`` is one of the keys.
        """
        signed = {**parameters, EXPIRES: str(int(time.time()) + lifetime)}
        return {**signed, SIGNATURE: _signature(_link_key(caller.key), _digest(path, signed))}

    def signer(self, path: str, parameters: Mapping[str, str]) -> ApiKey | None:
        """Return whose key has signed the link, or None if nobody's has or the link has expired."""
        signed = {name: value for name, value in parameters.items() if name != SIGNATURE}
        given, expires = parameters.get(SIGNATURE, "").encode("utf-8", "replace"), signed.get(EXPIRES, "")
        if not (expires.isascii() and expires.isdecimal() and len(expires) <= _MAX_EXPIRES_DIGITS):
            return None
        if time.time() >= int(expires):
            return None
        digest = _digest(path, signed)
        # Compare with all keys, so that the time does not depend on which one matches.
        matches = [each for key, each in self._keys if hmac.compare_digest(_signature(key, digest).encode(), given)]
        return matches[0] if matches else None


def _link_key(api_key: str) -> bytes:
    # Not the API key itself, so that a signature is of no use for anything else that the key may sign.
    return hmac.digest(api_key.encode("utf-8", "surrogateescape"), _PURPOSE, hashlib.sha256)


def _digest(path: str, parameters: Mapping[str, str]) -> bytes:
    # Signed in place of the URL, so that a link costs little to check even where there are a thousand keys.
    message = f"{path}?{urlencode(sorted(parameters.items()), errors='surrogatepass')}"
    return hashlib.sha256(message.encode()).digest()


def _signature(key: bytes, digest: bytes) -> str:
    return base64.urlsafe_b64encode(hmac.digest(key, digest, hashlib.sha256)).decode().rstrip("=")
