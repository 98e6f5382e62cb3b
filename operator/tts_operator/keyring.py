"""What is derived from the operator's one secret: whom pods take for the operator, and what their caches trust.

Nothing that could speak is in a pod: its template has the public key, and the operator alone can make tokens for it.
"""

import base64
import os

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

SECRET_BYTES = 32
ISSUER = "tts-operator"
TOKEN_SECONDS = 30
"""How long a token is good. The server allows for 30 s more, by which the clocks of two nodes may differ."""
_PROBE = b"tts-operator/probe/ed25519/1"
_CACHE = b"tts-operator/cache/hmac-sha256/1"


class Keyring:
    """The keys. Each is derived with a label of its own (HKDF, RFC 5869), so that none tells anything of another."""

    def __init__(self, secret: bytes) -> None:
        """Raises ValueError for a secret of fewer than 32 bytes."""
        if len(secret) < SECRET_BYTES:
            raise ValueError(f"the operator's secret has {len(secret)} bytes; it must have at least {SECRET_BYTES}")
        self._secret = secret
        self._private = Ed25519PrivateKey.from_private_bytes(self._derived(_PROBE))
        self.public_key = _text(self._private.public_key().public_bytes_raw())
        """By it a model server knows the operator: 32 bytes in base64url."""

    def token(self, pod_uid: str, now: float) -> str:
        """A token that only the pod of this uid takes, and not for long. `now` is in seconds since 1970."""
        issued = int(now)
        claims = {"iss": ISSUER, "aud": pod_uid, "iat": issued, "exp": issued + TOKEN_SECONDS}
        return jwt.encode(claims, self._private, algorithm="EdDSA")

    def cache_key(self, namespace: str, uid: str) -> str:
        """By it the pods of one TTSService sign what they share in Redis: 32 bytes in base64url."""
        return _text(self._derived(b"\0".join((_CACHE, namespace.encode(), uid.encode()))))

    def _derived(self, label: bytes) -> bytes:
        return HKDF(algorithm=SHA256(), length=32, salt=None, info=label).derive(self._secret)


def new_secret() -> bytes:
    """A secret that nobody has had."""
    return os.urandom(SECRET_BYTES)


def _text(key: bytes) -> str:
    return base64.urlsafe_b64encode(key).decode().rstrip("=")
