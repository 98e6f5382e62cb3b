"""Formats of telephones, judged by decoders that have nothing to do with the encoders: libsndfile's and libg722's."""

import io
import re

import numpy as np
import numpy.typing as npt
import pytest
import soundfile
from G722 import G722

from tts_server.audio.encoding import FORMATS, SAMPLE_RATES, Encoder, at_rate, encode_file, format_of_file

ENGINE_RATE = 24_000
Samples = npt.NDArray[np.float64]


def chord(seconds: float, rate: int) -> npt.NDArray[np.int16]:
    """Three tones below 3 kHz whose loudness rises, so that a piece in the wrong place or twice shows."""
    at = np.arange(round(seconds * rate)) / rate
    tones = sum(np.sin(2 * np.pi * hertz * at) for hertz in (313, 1137, 2891))
    loudness = np.minimum(9000 * at / seconds, 9000 * (seconds - at) / 0.02)
    return (loudness * tones).astype(np.int16)


def decode(name: str, data: bytes, rate: int) -> Samples:
    """The samples, from -1 to 1."""
    if name == "g722":
        return np.array(G722(16_000, 64_000).decode(data)) / 32_768
    if name.startswith("wav") or name == "flac":
        samples, found = soundfile.read(io.BytesIO(data))
        assert found == rate
        return np.asarray(samples)
    subtype = {"pcm": "PCM_16", "pcm_alaw": "ALAW", "pcm_mulaw": "ULAW"}[name]
    samples, _ = soundfile.read(io.BytesIO(data), samplerate=rate, channels=1, subtype=subtype, format="RAW")
    return np.asarray(samples)


def distance(heard: Samples, wanted: Samples) -> float:
    """The difference in dB, compared with what is wanted."""
    return float(10 * np.log10(np.mean((heard - wanted) ** 2) / np.mean(wanted**2) + 1e-12))


@pytest.mark.parametrize("name", ["pcm", "wav", "flac", "pcm_alaw", "pcm_mulaw", "wav_alaw", "wav_mulaw"])
@pytest.mark.parametrize("rate", SAMPLE_RATES)
def test_all_of_the_sound_at_every_rate(name: str, rate: int) -> None:
    data = encode_file(at_rate(FORMATS[name], rate), chord(1.0, ENGINE_RATE).tobytes(), ENGINE_RATE)
    heard, wanted = decode(name, data, rate), chord(1.0, rate) / 32_768
    assert len(heard) == rate
    # G.711 keeps a distance of 37 dB over its whole range; a 16-bit format is limited by its filter.
    assert distance(heard, wanted) < (-35 if "law" in name else -60)


def test_g722() -> None:
    data = encode_file(FORMATS["g722"], chord(1.0, ENGINE_RATE).tobytes(), ENGINE_RATE)
    assert len(data) == 8000  # 64 kbit/s
    heard, wanted = decode("g722", data, 16_000), chord(1.0, 16_000) / 32_768
    # Its filter bank delays by 22 samples.
    assert min(distance(heard[lag:], wanted[: 16_000 - lag]) for lag in range(30)) < -15


@pytest.mark.parametrize("name", ["pcm_alaw", "pcm_mulaw", "g722", "wav_alaw", "wav_mulaw"])
@pytest.mark.parametrize("samples", [1, 2, 23_999, 24_000, 24_005])
def test_every_sample_is_there_and_their_number_is_even(name: str, samples: int) -> None:
    data = encode_file(FORMATS[name], chord(2.0, ENGINE_RATE)[:samples].tobytes(), ENGINE_RATE)
    rate = FORMATS[name].rate(ENGINE_RATE)
    wanted = round(samples * rate / ENGINE_RATE)
    assert len(decode(name, data, rate)) == wanted + wanted % 2


@pytest.mark.parametrize("name", ["pcm", "flac", "pcm_alaw", "pcm_mulaw", "g722"])
def test_pieces_make_the_same_file_as_the_whole(name: str) -> None:
    output_format = FORMATS[name] if name == "g722" else at_rate(FORMATS[name], 8000)
    sound = chord(2.3, ENGINE_RATE)

    def encode(pieces: int) -> bytes:
        encoder = Encoder(output_format, ENGINE_RATE)
        return b"".join([*(encoder.encode(part.tobytes()) for part in np.array_split(sound, pieces)), encoder.finish()])

    assert encode(1) == encode(7)


@pytest.mark.parametrize("name", ["pcm_alaw", "pcm_mulaw", "g722", "pcm"])
def test_a_stream_is_sent_as_it_is_made(name: str) -> None:
    """What the filter and G.722's frame hold back is less than 50 ms."""
    output_format = FORMATS[name] if name == "g722" else at_rate(FORMATS[name], 8000)
    encoder = Encoder(output_format, ENGINE_RATE)
    whole = len(encode_file(output_format, bytes(48_000), ENGINE_RATE))
    assert len(encoder.encode(bytes(24_000))) >= whole * (0.5 - 0.05)
    encoder.close()


@pytest.mark.parametrize("rate", SAMPLE_RATES)
def test_mp3_at_every_rate(rate: int) -> None:
    data = encode_file(at_rate(FORMATS["mp3"], rate), chord(1.0, ENGINE_RATE).tobytes(), ENGINE_RATE)
    heard, found = soundfile.read(io.BytesIO(data))
    assert found == rate
    # LAME's delay of 1105 samples, or what is left of it without one frame of 576; and up to a frame of padding.
    delay, frame = (1105, 1152) if rate > 24_000 else (1105 - 576, 576)
    assert rate + delay <= len(heard) <= rate + delay + frame
    assert distance(heard[delay : delay + rate], chord(1.0, rate) / 32_768) < -24


@pytest.mark.parametrize("rate", SAMPLE_RATES)
def test_aac_at_every_rate(rate: int) -> None:
    data = encode_file(at_rate(FORMATS["aac"], rate), chord(1.0, ENGINE_RATE).tobytes(), ENGINE_RATE)
    # The header of an ADTS frame has an index into this list: ISO/IEC 13818-7.
    rates = (96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8000)
    at = frames = 0
    while at < len(data):
        assert rates[data[at + 2] >> 2 & 15] == rate
        at += (data[at + 3] & 3) << 11 | data[at + 4] << 3 | data[at + 5] >> 5
        frames += 1
    assert rate <= frames * 1024 <= rate + 2 * 1024 + 1


@pytest.mark.parametrize(
    "name,rate,says",
    [
        (
            "opus",
            8000,
            "The sample rate of opus is 48000 Hz, not 8000. These formats can have it: mp3, aac, flac, wav,",
        ),
        ("g722", 8000, "The sample rate of g722 is 16000 Hz, not 8000."),
        ("wav", 11_025, "The sample rate of wav is 8000, 16000, 22050, 24000, 44100, 48000 Hz, not 11025."),
    ],
)
def test_impossible_rates_are_refused(name: str, rate: int, says: str) -> None:
    with pytest.raises(ValueError, match="^" + re.escape(says)):
        at_rate(FORMATS[name], rate)


def test_a_raw_format_says_its_rate() -> None:
    kinds = {
        name: FORMATS[name].content_type(ENGINE_RATE) for name in ("pcm", "pcm_alaw", "pcm_mulaw", "g722", "wav", "mp3")
    }
    assert kinds == {
        "pcm": "audio/pcm;rate=24000",
        "pcm_alaw": "audio/PCMA;rate=8000",
        "pcm_mulaw": "audio/PCMU;rate=8000",
        "g722": "audio/G722;rate=8000",
        "wav": "audio/wav",
        "mp3": "audio/mpeg",
    }
    assert at_rate(FORMATS["pcm"], 16_000).content_type(ENGINE_RATE) == "audio/pcm;rate=16000"


@pytest.mark.parametrize(
    "file,name",
    [("a.alaw", "pcm_alaw"), ("a.UL", "pcm_mulaw"), ("a.g722", "g722"), ("a.ogg", "opus"), ("a.wav", "wav")],
)
def test_files_are_named_as_asterisk_names_them(file: str, name: str) -> None:
    assert format_of_file(file).name == name


def test_an_unknown_file_name_is_refused() -> None:
    for name in ("a.pcm_alaw", "a", "a.txt"):
        with pytest.raises(ValueError, match=r"must end in \.mp3, .*, \.alaw, .* or \.ul\."):
            format_of_file(name)
