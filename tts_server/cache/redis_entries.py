"""The names and values of the entries in Redis.

Anyone who can write to Redis can write any value, including other tenants if they share it. With a signing key, the
server accepts an entry only if a server with the same key wrote it, in full and under this name. Without a key, only
accidental damage is detected.
"""

import hashlib
import hmac
import struct
import zlib

MAX_ENTRY_BYTES = 8 << 20
"""The largest entry: 174 s of audio at 24 kHz. Longer audio is not shared, and no more than this is ever read."""

_CHECKSUM_HEADER = struct.Struct("<4sII")
_SIGNED_HEADER = struct.Struct("<4sI16s")
_CHECKSUM_MAGIC = b"PCM1"
_SIGNED_MAGIC = b"PCM2"
_SIGNATURE_BYTES = 16


class RedisEntries:
    """The entries of one service."""

    def __init__(self, prefix: str, signing_key: bytes = b"") -> None:
        """Begin each name with `prefix`. Without `signing_key`, values carry only a checksum."""
        self._key = signing_key
        # Each key has its own names, so that while two keys are in use neither sees the other's entries as damaged.
        key_id = hmac.digest(signing_key, b"identity", "sha256")[:4].hex() if signing_key else ""
        self._prefix = f"{prefix}2:{key_id}:" if signing_key else f"{prefix}1:"

    def name(self, key: str) -> str:
        """Return the name of the entry for a cache key, which is a digest of everything that determines the audio."""
        return self._prefix + key

    def pack(self, key: str, pcm: bytes, sample_rate: int) -> bytes | None:
        """Return the value to store, or None if it is too large."""
        header = _SIGNED_HEADER if self._key else _CHECKSUM_HEADER
        if header.size + len(pcm) > MAX_ENTRY_BYTES:
            return None
        if self._key:
            return _SIGNED_HEADER.pack(_SIGNED_MAGIC, sample_rate, self._signature(key, sample_rate, pcm)) + pcm
        return _CHECKSUM_HEADER.pack(_CHECKSUM_MAGIC, sample_rate, zlib.crc32(pcm)) + pcm

    def unpack(self, key: str, value: bytes, sample_rate: int) -> bytes | None:
        """Return the samples if :meth:`pack` made the value from this cache key at this rate, otherwise None."""
        header = _SIGNED_HEADER if self._key else _CHECKSUM_HEADER
        if not header.size < len(value) <= MAX_ENTRY_BYTES:
            return None
        magic, rate, proof = header.unpack_from(value)
        if (magic, rate) != (_SIGNED_MAGIC if self._key else _CHECKSUM_MAGIC, sample_rate):
            return None
        pcm = value[header.size :]
        if self._key:
            return pcm if hmac.compare_digest(proof, self._signature(key, rate, pcm)) else None
        return pcm if proof == zlib.crc32(pcm) else None

    def _signature(self, key: str, sample_rate: int, pcm: bytes) -> bytes:
        """Sign the samples together with their name, so that no entry can be copied to another name."""
        name = self.name(key).encode()
        signed = hmac.new(self._key, struct.pack("<4sII", _SIGNED_MAGIC, sample_rate, len(name)) + name, hashlib.sha256)
        signed.update(pcm)
        return signed.digest()[:_SIGNATURE_BYTES]
