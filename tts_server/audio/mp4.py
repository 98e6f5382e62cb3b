"""An audio book: AAC in MP4 with chapters and tags, written as a stream whose bytes never change.

FFmpeg either goes back to the beginning of such a file, or cuts it into fragments, in which many players of audio books
cannot seek. Its index also takes 64 bytes of memory for each frame of audio: half a gigabyte for 100 hours. Here, the
audio lies in boxes of some seconds, the index follows it, and each frame takes 4 bytes.

The boxes are those of ISO/IEC 14496-12 (the file), 14496-14 (AAC in it), and Apple's QuickTime File Format (chapters as
a track of text, and tags).
"""

import struct
from collections.abc import Iterator

from tts_server.audio.tags import Tags

FRAME_SAMPLES = 1024
"""Samples of a frame of AAC-LC."""
DELAY_SAMPLES = 1024
"""FFmpeg's encoder begins with so many samples of silence, which players are told to skip."""
NERO_CHAPTERS = 255
"""The list of chapters that many players read in the place of the track has so many at most."""

# So many frames lie together: at 24 kHz 11 s, at 64 kbit/s 87 KiB.
_CHUNK_FRAMES = 256
_PIECE_BYTES = 1 << 20
_ADTS_HEADER_BYTES = 7
_ADTS_SYNC = 0xFFF
_RATES = (96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8000, 7350)
_MILLISECONDS = 1000
"""The unit of the movie's times, which also those of the chapters have."""
_AUDIO, _CHAPTERS = 1, 2  # ids of the tracks
_MATRIX = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)  # shown as it is
_UNDETERMINED = 0x55C4  # the language "und", in 5 bits a letter
_ENABLED = 7
_AUDIOBOOK = 2  # iTunes' kind of media
_UTF8, _INTEGER = 1, 21  # types of a tag's value
_MAX_32_BITS = 0xFFFF_FFFF
_Part = bytes | bytearray
_Box = tuple[_Part, ...]


class AudioBook:
    """Writes one file. Give it AAC as ADTS, as FFmpeg's encoder makes it, and it returns the file piece by piece."""

    def __init__(self, tags: Tags, *, rate: int, samples: int) -> None:
        """``rate`` is that of the AAC, in Hz, and ``samples`` the length of what was encoded at this rate."""
        self._tags = tags
        self._rate = rate
        self._milliseconds = _at_rate(samples, rate, _MILLISECONDS)
        self._rest = b""
        self._chunk: list[bytes] = []
        self._sizes = bytearray()
        self._offsets = bytearray()
        self._written = 0

    def add(self, adts: bytes) -> bytes:
        """Return the bytes that are ready, which may be none."""
        data, at = self._rest + adts, 0
        ready = [] if self._written else [self._count(_join(_file_type()))]
        while len(data) - at >= _ADTS_HEADER_BYTES:
            size = _frame_bytes(data, at)
            if len(data) - at < size:
                break
            self._chunk.append(data[at + _ADTS_HEADER_BYTES : at + size])
            self._sizes += struct.pack(">I", size - _ADTS_HEADER_BYTES)
            at += size
            if len(self._chunk) == _CHUNK_FRAMES:
                ready.append(self._media(self._chunk))
                self._chunk = []
        self._rest = data[at:]
        return b"".join(ready)

    def finish(self) -> Iterator[bytes]:
        """Yield the rest of the file: the last audio, the titles of the chapters, and the index."""
        if self._chunk:
            yield self._media(self._chunk)
        titles = [_text_sample(title) for title, _ in self._tags.chapters]
        where = self._written + 8
        if titles:
            yield self._count(_join(_box(b"mdat", *titles)))
        for part in self._index(titles, where):
            for start in range(0, len(part), _PIECE_BYTES):
                yield bytes(part[start : start + _PIECE_BYTES])

    def _media(self, frames: list[bytes]) -> bytes:
        self._offsets += struct.pack(">Q", self._written + 8)
        return self._count(_join(_box(b"mdat", *frames)))

    def _count(self, data: bytes) -> bytes:
        self._written += len(data)
        return data

    def _index(self, titles: list[bytes], titles_at: int) -> _Box:
        tracks = [*self._audio_track(has_chapters=bool(titles))]
        if titles:
            tracks += self._chapter_track(titles, titles_at)
        header = struct.pack(
            ">IIIIIH10x36s24xI", 0, 0, _MILLISECONDS, self._milliseconds, 0x10000, 0x100, _MATRIX, _CHAPTERS + 1
        )
        return _box(b"moov", *_full(b"mvhd", header), *tracks, *_user_data(self._tags))

    def _audio_track(self, *, has_chapters: bool) -> _Box:
        frames = len(self._sizes) // 4
        chunks = len(self._offsets) // 8
        last = frames - (chunks - 1) * _CHUNK_FRAMES
        runs = [(1, _CHUNK_FRAMES if chunks > 1 else last), *([(chunks, last)] if chunks > 1 else [])]
        table = _box(
            b"stbl",
            *_full(b"stsd", struct.pack(">I", 1), *self._sound_description(frames)),
            *_full(b"stts", struct.pack(">III", 1, frames, FRAME_SAMPLES)),
            *_full(b"stsc", struct.pack(">I", len(runs)), *(struct.pack(">III", *run, 1) for run in runs)),
            *_full(b"stsz", struct.pack(">II", 0, frames), self._sizes),
            *_full(b"co64", struct.pack(">I", chunks), self._offsets),
        )
        information = _box(b"minf", *_full(b"smhd", bytes(4)), *_data_information(), *table)
        edit = struct.pack(">IIiI", 1, self._milliseconds, DELAY_SAMPLES, 0x10000)
        return _box(
            b"trak",
            *_track_header(_AUDIO, self._milliseconds, flags=_ENABLED, volume=0x100),
            *_box(b"edts", *_full(b"elst", edit)),
            *(_box(b"tref", *_box(b"chap", struct.pack(">I", _CHAPTERS))) if has_chapters else ()),
            *_media_box(b"soun", self._rate, frames * FRAME_SAMPLES, information),
        )

    def _sound_description(self, frames: int) -> _Box:
        seconds = frames * FRAME_SAMPLES / self._rate
        rate = round((self._written * 8) / seconds) if seconds else 0
        # Object type 2 is AAC-LC; one channel.
        configuration = struct.pack(">H", 2 << 11 | _RATES.index(self._rate) << 7 | 1 << 3)
        decoder = struct.pack(">BB3sII", 0x40, 0x15, bytes(3), rate, rate) + _descriptor(5, configuration)
        stream = struct.pack(">HB", _AUDIO, 0) + _descriptor(4, decoder) + _descriptor(6, b"\2")
        return _box(
            b"mp4a",
            struct.pack(">6xH8xHH4xI", 1, 1, 16, self._rate << 16),
            *_full(b"esds", _descriptor(3, stream)),
        )

    def _chapter_track(self, titles: list[bytes], at: int) -> _Box:
        starts = [round(start * _MILLISECONDS) for _, start in self._tags.chapters]
        length = max(self._milliseconds, starts[-1]) - starts[0]
        # The last title is longer than it is shown, because FFmpeg takes the end of the track for that of the chapter.
        ends = [*starts[1:], starts[0] + length + starts[0]]
        times = [struct.pack(">II", 1, end - start) for start, end in zip(starts, ends, strict=True)]
        # A text that begins without a chapter has nothing before the first one.
        edits = [(starts[0], -1), (length, 0)] if starts[0] else [(length, 0)]
        table = _box(
            b"stbl",
            *_full(b"stsd", struct.pack(">I", 1), *_box(b"text", struct.pack(">6xH44x", 1))),
            *_full(b"stts", struct.pack(">I", len(times)), *times),
            *_full(b"stsc", struct.pack(">IIII", 1, 1, len(titles), 1)),
            *_full(b"stsz", struct.pack(">II", 0, len(titles)), *(struct.pack(">I", len(each)) for each in titles)),
            *_full(b"co64", struct.pack(">IQ", 1, at)),
        )
        base = _full(b"gmin", struct.pack(">HHHHHH", 0x40, 0x8000, 0x8000, 0x8000, 0, 0))
        general = _box(b"gmhd", *base, *_box(b"text", _MATRIX))
        information = _box(b"minf", *general, *_data_information(), *table)
        edit_list = _full(
            b"elst", struct.pack(">I", len(edits)), *(struct.pack(">IiI", *each, 0x10000) for each in edits)
        )
        return _box(
            b"trak",
            *_track_header(_CHAPTERS, self._milliseconds, flags=0, volume=0),  # not enabled: it is no caption
            *_box(b"edts", *edit_list),
            *_media_box(b"text", _MILLISECONDS, starts[0] + length, information),
        )


def _frame_bytes(data: bytes, at: int) -> int:
    """Return the size of an ADTS frame with its header (ISO/IEC 13818-7, section 6.2)."""
    if int.from_bytes(data[at : at + 2], "big") >> 4 != _ADTS_SYNC:
        raise ValueError("no ADTS frame begins here")
    return int.from_bytes(data[at + 3 : at + 6], "big") >> 5 & 0x1FFF


def _at_rate(samples: int, rate: int, target: int) -> int:
    return (samples * target + rate // 2) // rate


def _box(kind: bytes, *content: _Part) -> _Box:
    return struct.pack(">I4s", 8 + sum(map(len, content)), kind), *content


def _full(kind: bytes, *content: _Part, version: int = 0, flags: int = 0) -> _Box:
    return _box(kind, struct.pack(">I", version << 24 | flags), *content)


def _join(box: _Box) -> bytes:
    return b"".join(box)


def _descriptor(tag: int, content: bytes) -> bytes:
    """Return a descriptor of less than 128 bytes (ISO/IEC 14496-1)."""
    return struct.pack(">BB", tag, len(content)) + content


def _file_type() -> _Box:
    return _box(b"ftyp", b"M4B ", bytes(4), b"M4B M4A mp42isom")


def _track_header(number: int, milliseconds: int, *, flags: int, volume: int) -> _Box:
    content = struct.pack(">IIIIIQhhHH36sII", 0, 0, number, 0, milliseconds, 0, 0, 0, volume, 0, _MATRIX, 0, 0)
    return _full(b"tkhd", content, flags=flags)


def _media_box(handler: bytes, unit: int, duration: int, information: _Box) -> _Box:
    if duration > _MAX_32_BITS:
        header = _full(b"mdhd", struct.pack(">QQIQHH", 0, 0, unit, duration, _UNDETERMINED, 0), version=1)
    else:
        header = _full(b"mdhd", struct.pack(">IIIIHH", 0, 0, unit, duration, _UNDETERMINED, 0))
    return _box(b"mdia", *header, *_full(b"hdlr", struct.pack(">4x4s12x", handler), b"\0"), *information)


def _data_information() -> _Box:
    """Say that the media is in this file."""
    return _box(b"dinf", *_full(b"dref", struct.pack(">I", 1), *_full(b"url ", flags=1)))


def _text_sample(title: str) -> bytes:
    """Return a title with its length, and that it is UTF-8."""
    text = _cut(title, 0xFFFF)
    return struct.pack(">H", len(text)) + text + struct.pack(">I4sI", 12, b"encd", 0x100)


def _user_data(tags: Tags) -> _Box:
    items: list[_Part] = []
    for name in (b"\xa9nam", b"\xa9alb") if tags.title else ():
        items += _tag(name, _UTF8, tags.title.encode())
    items += _tag(b"stik", _INTEGER, bytes([_AUDIOBOOK]))
    handler = _full(b"hdlr", struct.pack(">4x4s4s8x", b"mdir", b"appl"), b"\0")
    metadata = _full(b"meta", *handler, *_box(b"ilst", *items))
    return _box(b"udta", *metadata, *_nero_chapters(tags))


def _tag(name: bytes, kind: int, value: bytes) -> _Box:
    return _box(name, *_box(b"data", struct.pack(">II", kind, 0), value))


def _nero_chapters(tags: Tags) -> _Box:
    chapters = tags.chapters[:NERO_CHAPTERS]
    if not chapters:
        return ()
    entries = []
    for title, start in chapters:
        text = _cut(title, 0xFF)
        entries.append(struct.pack(">QB", round(start * 10_000_000), len(text)) + text)
    return _full(b"chpl", struct.pack(">IB", 0, len(chapters)), *entries, version=1)


def _cut(text: str, size: int) -> bytes:
    """Return at most so many bytes of UTF-8, and no part of a character."""
    return text.encode()[:size].decode(errors="ignore").encode()
