"""Tokens by which the operator makes itself known to one pod: JWTs (RFC 7519), signed with Ed25519 (RFC 8037).

The server knows the operator's public key and its own pod's uid. With both it can tell a token that is meant for it,
and can make none, neither for itself nor for another pod.
"""

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from tts_server.settings import decoded

ISSUER = "tts-operator"
LIFETIME_SECONDS = 60
"""From `iat` to `exp` at most: who has caught a token has it for no longer."""
SKEW_SECONDS = 30
"""So much the clocks of the operator's node and of this one may differ."""
_REQUIRED = ["aud", "exp", "iat", "iss"]


class Tokens:
    """The tokens that are taken."""

    def __init__(self, public_key: str, pod_uid: str) -> None:
        """`public_key` is base64url, as :class:`~tts_server.settings.Settings` has checked it."""
        self._key = Ed25519PublicKey.from_public_bytes(decoded(public_key))
        self._pod_uid = pod_uid

    def accept(self, token: str) -> bool:
        """Whether the operator has made the token for this pod, a moment ago. The caller bounds its length."""
        try:
            claims = jwt.decode(
                token,
                self._key,
                algorithms=["EdDSA"],
                audience=self._pod_uid,
                issuer=ISSUER,
                leeway=SKEW_SECONDS,
                options={"require": _REQUIRED, "strict_aud": True},
            )
        except jwt.PyJWTError:
            return False
        return int(claims["exp"]) - int(claims["iat"]) <= LIFETIME_SECONDS
