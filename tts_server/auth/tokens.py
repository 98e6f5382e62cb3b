"""Tokens with which the operator authenticates to one pod: JWTs (RFC 7519), signed with Ed25519 (RFC 8037).

The server knows the operator's public key and the uid of its own pod. With these it can verify a token meant for it,
but it cannot create one, for itself or for another pod.
"""

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from tts_server.settings import decoded

ISSUER = "tts-operator"
MAX_LIFETIME_SECONDS = 60
"""The longest time from `iat` to `exp`, which limits how long a stolen token is of use."""
MAX_SKEW_SECONDS = 30
"""By how much the clocks of the operator's node and of this one may differ."""
_REQUIRED_CLAIMS = ["aud", "exp", "iat", "iss"]


class Tokens:
    """Verifies the operator's tokens."""

    def __init__(self, public_key: str, pod_uid: str) -> None:
        """`public_key` is base64url, validated by :class:`~tts_server.settings.Settings`."""
        self._key = Ed25519PublicKey.from_public_bytes(decoded(public_key))
        self._pod_uid = pod_uid

    def accept(self, token: str) -> bool:
        """Return whether the operator has issued the token for this pod and it has not expired.

        The caller bounds the token's length.
        """
        try:
            claims = jwt.decode(
                token,
                self._key,
                algorithms=["EdDSA"],
                audience=self._pod_uid,
                issuer=ISSUER,
                leeway=MAX_SKEW_SECONDS,
                options={"require": _REQUIRED_CLAIMS, "strict_aud": True},
            )
        except jwt.PyJWTError:
            return False
        return int(claims["exp"]) - int(claims["iat"]) <= MAX_LIFETIME_SECONDS
