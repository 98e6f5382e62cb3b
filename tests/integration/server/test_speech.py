"""What the server says is speech, always the same, and all of it."""

import io
import wave
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt
import pytest

from .conftest import Server

RATE = 24_000


def decode(sound: bytes) -> npt.NDArray[np.float64]:
    with wave.open(io.BytesIO(sound)) as reader:
        assert (reader.getframerate(), reader.getnchannels(), reader.getsampwidth()) == (RATE, 1, 2)
        frames = reader.readframes(reader.getnframes())
        assert len(frames) == 2 * reader.getnframes()
    return np.frombuffer(frames, "<i2") / 32768


def rms(samples: npt.NDArray[np.float64]) -> float:
    return float(np.sqrt(np.mean(samples**2)))


@pytest.mark.parametrize(
    "text,syllables",
    [
        ("您好，欢迎致电客户服务中心。", 12),
        ("今天是2026年11月23日，气温-5℃。", 22),
        ("请在14:05前付¥12.50元。", 14),
        ("iPhone 15 Pro的价格是多少？", 14),
        ("OK", 2),
        ("好", 1),
        ("你😀好", 2),
    ],
)
def test_it_is_speech(server: Server, text: str, syllables: int) -> None:
    samples = decode(server.speak(text).content)
    assert 0.1 < len(samples) / RATE / syllables < 0.6
    assert 0.01 < rms(samples) < 0.5
    assert np.abs(samples).max() < 0.99


def test_pcm_is_the_wav_without_its_header(server: Server) -> None:
    text = "两种格式"
    assert server.speak(text, response_format="pcm").content == server.speak(text).content[44:]


def test_speed_changes_the_length(server: Server) -> None:
    text = "语速可以改变声音的长度"
    lengths = [len(server.speak(text, speed=speed).content) for speed in (0.5, 1, 2)]
    assert lengths[0] / lengths[1] == pytest.approx(2, rel=0.15)
    assert lengths[1] / lengths[2] == pytest.approx(2, rel=0.25)


@pytest.mark.parametrize("speed", [0.25, 4])
def test_the_extreme_speeds_still_sound(server: Server, speed: float) -> None:
    assert rms(decode(server.speak("最快和最慢都要有声音", speed=speed).content)) > 0.01


def test_five_hundred_characters_without_punctuation_are_all_said(server: Server) -> None:
    samples = decode(server.speak("春眠不觉晓处处闻啼鸟夜来风雨声花落知多少" * 25).content)
    assert len(samples) / RATE / 500 > 0.1
    seconds = samples[: len(samples) // RATE * RATE].reshape(-1, RATE)
    assert min(rms(second) for second in seconds) > 0.01  # no second of it is silent


def test_twice_the_same_is_a_hit_with_the_same_bytes(server: Server) -> None:
    first, second = (server.speak("同样的文字") for _ in range(2))
    assert (first.headers["X-Cache"], second.headers["X-Cache"]) == ("miss", "hit")
    assert first.content == second.content


def test_in_parallel_as_alone(server: Server, start: Callable[..., Server]) -> None:
    texts = [f"第{number}句话各不相同，长短{'不一' * (number % 5)}" for number in range(24)]
    with ThreadPoolExecutor(8) as pool:
        parallel = list(pool.map(lambda text: server.speak(text).content, texts))
    # Another server with one thread and no cache: each text synthesised again, one after the other.
    alone = start(TTS_THREADS="1", TTS_CACHE_SIZE_MIB="0")
    assert [alone.speak(text).content for text in texts] == parallel
    assert alone.speak(texts[0]).headers["X-Cache"] == "miss"


def test_a_hundred_at_once_are_made_once(server: Server) -> None:
    text = "同一句话同时说一百遍"
    with ThreadPoolExecutor(100) as pool:
        answers = list(pool.map(lambda _: server.speak(text), range(100)))
    assert [answer.headers["X-Cache"] for answer in answers].count("miss") == 1
    assert len({answer.content for answer in answers}) == 1
