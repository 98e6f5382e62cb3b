"""API keys: who may speak."""

import hashlib
import hmac


class Keys:
    """The keys that are taken. Only digests are kept, and comparing takes as long for a near miss as for a far one."""

    def __init__(self, keys: tuple[str, ...], *, probe: str = "") -> None:
        """`probe` is one more key, where there are any."""
        more = (probe,) if keys and probe else ()
        self._digests = tuple(_digest(key) for key in (*keys, *more))

    def accept(self, key: str) -> bool:
        """Whether the key is one of them; without keys everything is."""
        given = _digest(key)
        found = [hmac.compare_digest(given, each) for each in self._digests]
        return not found or any(found)


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()
