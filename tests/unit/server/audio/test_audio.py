import io
import wave

import numpy as np

from tts_server.audio.pcm import pcm_bytes
from tts_server.audio.wav import wav_header


def test_the_header_is_what_python_reads() -> None:
    pcm = np.arange(-500, 500, dtype="<i2").tobytes()
    with wave.open(io.BytesIO(wav_header(len(pcm), 24000) + pcm)) as sound:
        assert (sound.getnchannels(), sound.getsampwidth(), sound.getframerate()) == (1, 2, 24000)
        assert sound.readframes(sound.getnframes()) == pcm


def test_the_pause_follows_the_samples() -> None:
    chunks = [np.ones(10, np.int16), np.full(5, 2, np.int16)]
    sent = pcm_bytes(chunks, pause=0.25, sample_rate=100)
    assert [np.frombuffer(each, "<i2").tolist() for each in sent] == [[1] * 10, [2] * 5, [0] * 25]
