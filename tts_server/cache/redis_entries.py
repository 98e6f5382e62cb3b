"""What Redis keeps of a sound, and under which name.

Whoever may write to Redis may write anything: servers of other tenants too, where they share it. With a signing key an
entry is one that a server with the same key has written, under this name and in full, or it is nothing. Without one
only damage is noticed.
"""

import hashlib
import hmac
import struct
import zlib

LARGEST_BYTES = 8 << 20
"""Of an entry: 174 s of sound at 24 kHz; what is longer is not shared. More than this is never read, whatever is
there."""

_HEAD = struct.Struct("<4sII")
_SIGNED_HEAD = struct.Struct("<4sI16s")
_MAGIC = b"PCM1"
_SIGNED_MAGIC = b"PCM2"
_SIGNATURE_BYTES = 16


class Entries:
    """Names and values of the entries of one service."""

    def __init__(self, prefix: str, signing_key: bytes = b"") -> None:
        """Names begin with `prefix`. Without `signing_key` values have a checksum only."""
        self._key = signing_key
        # The names of another key's entries are others: while two keys are in use, none is taken for damaged.
        identity = hmac.digest(signing_key, b"identity", "sha256")[:4].hex() if signing_key else ""
        self._prefix = f"{prefix}2:{identity}:" if signing_key else f"{prefix}1:"

    def name(self, sound: str) -> str:
        """Return the name of a sound's entry; `sound` is a digest of what is said and how."""
        return self._prefix + sound

    def pack(self, sound: str, pcm: bytes, sample_rate: int) -> bytes | None:
        """Return the value that Redis is to keep; None where it would be too large."""
        head = _SIGNED_HEAD if self._key else _HEAD
        if head.size + len(pcm) > LARGEST_BYTES:
            return None
        if self._key:
            return _SIGNED_HEAD.pack(_SIGNED_MAGIC, sample_rate, self._signature(sound, sample_rate, pcm)) + pcm
        return _HEAD.pack(_MAGIC, sample_rate, zlib.crc32(pcm)) + pcm

    def unpack(self, sound: str, value: bytes, sample_rate: int) -> bytes | None:
        """Return the samples of a value that :meth:`pack` made of this sound at this rate, or None."""
        head = _SIGNED_HEAD if self._key else _HEAD
        if not head.size < len(value) <= LARGEST_BYTES:
            return None
        magic, rate, proof = head.unpack_from(value)
        if (magic, rate) != (_SIGNED_MAGIC if self._key else _MAGIC, sample_rate):
            return None
        pcm = value[head.size :]
        if self._key:
            return pcm if hmac.compare_digest(proof, self._signature(sound, rate, pcm)) else None
        return pcm if proof == zlib.crc32(pcm) else None

    def _signature(self, sound: str, sample_rate: int, pcm: bytes) -> bytes:
        """Of the samples and of where they belong, so that no entry can be copied to another name."""
        name = self.name(sound).encode()
        signed = hmac.new(self._key, struct.pack("<4sII", _SIGNED_MAGIC, sample_rate, len(name)) + name, hashlib.sha256)
        signed.update(pcm)
        return signed.digest()[:_SIGNATURE_BYTES]
