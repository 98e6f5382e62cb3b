"""What is taken from a Redis into which others write too."""

import struct
import zlib

import pytest

from tts_server.cache.redis_entries import MAX_ENTRY_BYTES, RedisEntries

SOUND, OTHER, PCM, RATE = "5d41", "7d79", b"sound", 24_000
TENANT, ATTACKER = RedisEntries("tts:speech:uid-1:", b"\1" * 32), RedisEntries("tts:evil:uid-2:", b"\2" * 32)
ALONE = RedisEntries("tts:")


def packed(entries: RedisEntries, sound: str = SOUND, pcm: bytes = PCM, rate: int = RATE) -> bytes:
    value = entries.pack(sound, pcm, rate)
    assert value is not None
    return value


@pytest.mark.parametrize("entries", [TENANT, ALONE], ids=["signed", "with a checksum"])
def test_what_was_packed_is_unpacked(entries: RedisEntries) -> None:
    assert entries.unpack(SOUND, packed(entries), RATE) == PCM


@pytest.mark.parametrize("entries", [TENANT, ALONE], ids=["signed", "with a checksum"])
def test_what_is_damaged_is_not_there(entries: RedisEntries) -> None:
    value = packed(entries)
    assert entries.unpack(SOUND, value, 16_000) is None
    for cut in range(len(value)):
        assert entries.unpack(SOUND, value[:cut], RATE) is None
    for place in range(len(value)):
        flipped = bytearray(value)
        flipped[place] ^= 1
        assert entries.unpack(SOUND, bytes(flipped), RATE) is None
    assert entries.unpack(SOUND, value + b"\0", RATE) is None


@pytest.mark.parametrize(
    "forged",
    [
        packed(ATTACKER),
        packed(ALONE),
        packed(RedisEntries("tts:speech:uid-1:", b"\3" * 32)),
        packed(RedisEntries("tts:evil:uid-2:", b"\1" * 32)),
        packed(TENANT, OTHER),  # copied from where it belongs
        struct.pack("<4sII", b"PCM2", RATE, zlib.crc32(PCM)) + PCM,
        struct.pack("<4sI16s", b"PCM2", RATE, b"") + PCM,
    ],
    ids=["another's", "unsigned", "another key", "another name", "of another sound", "a checksum", "no signature"],
)
def test_nobody_else_can_write_an_entry(forged: bytes) -> None:
    assert TENANT.unpack(SOUND, forged, RATE) is None


def test_names_tell_tenants_and_keys_apart() -> None:
    names = {each.name(SOUND) for each in (TENANT, ATTACKER, ALONE, RedisEntries("tts:speech:uid-1:", b"\3" * 32))}
    assert len(names) == 4
    assert TENANT.name(SOUND).startswith("tts:speech:uid-1:")
    assert ALONE.name(SOUND) == "tts:1:5d41", "a server of an earlier version finds what this one has made"


def test_what_is_too_large_is_neither_written_nor_read() -> None:
    assert TENANT.pack(SOUND, bytes(MAX_ENTRY_BYTES), RATE) is None
    assert ALONE.pack(SOUND, bytes(MAX_ENTRY_BYTES), RATE) is None
    value = bytes(MAX_ENTRY_BYTES - 24)
    assert TENANT.unpack(SOUND, packed(TENANT, pcm=value), RATE) == value
    assert ALONE.unpack(SOUND, struct.pack("<4sII", b"PCM1", RATE, 0) + bytes(MAX_ENTRY_BYTES), RATE) is None
