"""Texts as objects, in UTF-8."""

import codecs
from collections.abc import Iterator

from tts_server.jobs.storage import NoObjectError, Storage

_READ_BYTES = 256 * 1024


def read_text(storage: Storage, name: str) -> Iterator[str]:
    """Yield a text in pieces, without a byte order mark. Raises NoObjectError, StorageError and UnicodeDecodeError."""
    decoder = codecs.getincrementaldecoder("utf-8-sig")()
    size = storage.size(name)
    if size is None:
        raise NoObjectError
    for start in range(0, size, _READ_BYTES):
        yield decoder.decode(storage.read_range(name, start, min(size, start + _READ_BYTES)))
    yield decoder.decode(b"", final=True)
