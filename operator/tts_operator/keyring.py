"""Keys derived from the operator's one secret: to authenticate to pods, and to sign their cache entries.

A pod's template contains only a public key, so nothing in a pod authorizes requests. Only the operator can create
tokens.
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
"""Validity of a token. The server tolerates another 30 s of clock skew between nodes."""
_PROBE = b"tts-operator/probe/ed25519/1"
_CACHE = b"tts-operator/cache/hmac-sha256/1"


class Keyring:
    """The keys. Each is derived with its own label (HKDF, RFC 5869), so that none reveals anything about another."""

    def __init__(self, secret: bytes) -> None:
        """Raises ValueError for a secret of fewer than 32 bytes."""
        if len(secret) < SECRET_BYTES:
            raise ValueError(f"the operator's secret has {len(secret)} bytes; it must have at least {SECRET_BYTES}")
        self._secret = secret
        self._private = Ed25519PrivateKey.from_private_bytes(self._derived(_PROBE))
        self.public_key = _text(self._private.public_key().public_bytes_raw())
        """The key with which model servers verify tokens: 32 bytes in base64url."""

    def token(self, pod_uid: str, now: float) -> str:
        """Create a short-lived token for the pod with this uid only. `now` is in seconds since 1970."""
        issued = int(now)
        claims = {"iss": ISSUER, "aud": pod_uid, "iat": issued, "exp": issued + TOKEN_SECONDS}
        return jwt.encode(claims, self._private, algorithm="EdDSA")

    def cache_key(self, namespace: str, uid: str) -> str:
        """The key with which the pods of one TTSService sign their Redis entries: 32 bytes in base64url."""
        return _text(self._derived(b"\0".join((_CACHE, namespace.encode(), uid.encode()))))

    def _derived(self, label: bytes) -> bytes:
        return HKDF(algorithm=SHA256(), length=32, salt=None, info=label).derive(self._secret)


def new_secret() -> bytes:
    """Generate a random secret."""
    return os.urandom(SECRET_BYTES)


def _text(key: bytes) -> str:
    return base64.urlsafe_b64encode(key).decode().rstrip("=")
