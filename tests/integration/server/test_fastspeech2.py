"""The embedded voice itself, in this process: what it says is measured."""

import json
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from tts_server.audio.pcm import pcm_bytes
from tts_server.engines import Delivery, Engine, Session, create_engine, plain_script
from tts_server.engines.fastspeech2.prosody import EMOTIONS
from tts_server.settings import Settings

from .conftest import ROOT

Sound = npt.NDArray[np.float64]
TEXT = "欢迎致电客户服务中心，请问有什么可以帮您？"
LONG = "春眠不觉晓处处闻啼鸟夜来风雨声花落知多少" * 25


class Speaker:
    """An engine with one session."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.session: Session = engine.open_session()

    def say(self, text: str, speed: float = 1.0, emotion: str = "neutral", pitch: float = 1.0) -> list[Sound]:
        """The sound of each sentence, without the pauses."""
        return [
            np.concatenate(list(self.session.synthesise(each))) / 32768
            for each in self.engine.plan(plain_script(text, Delivery("baker", emotion, speed, pitch)))
        ]

    def joined(self, text: str, speed: float = 1.0) -> Sound:
        """The sound as the server sends it."""
        parts = [
            piece
            for each in self.engine.plan(plain_script(text, Delivery("baker", speed=speed)))
            for piece in pcm_bytes(self.session.synthesise(each), pause=each.pause, sample_rate=self.engine.sample_rate)
        ]
        return np.frombuffer(b"".join(parts), "<i2") / 32768


@pytest.fixture(scope="module")
def speaker(cache: Path) -> Iterator[Speaker]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(cache))
        engine = create_engine(Settings())
        engine.load()
        yield Speaker(engine)


def rms(sound: Sound) -> float:
    return float(np.sqrt(np.mean(sound**2)))


def pitch(sound: Sound, rate: int) -> float:
    """The median pitch in Hz of the voiced stretches, by autocorrelation."""
    found = []
    for start in range(0, len(sound) - 2048, 600):
        piece = sound[start : start + 2048]
        if rms(piece) < 0.03:
            continue
        spectrum = np.fft.rfft(piece - piece.mean(), 8192)
        correlation = np.fft.irfft(np.abs(spectrum) ** 2)
        low, high = rate // 500, rate // 80
        lag = low + int(np.argmax(correlation[low:high]))
        if correlation[lag] > 0.4 * correlation[0]:
            found.append(rate / lag)
    return float(np.median(found))


def test_emotions_sound_as_they_are_described(speaker: Speaker) -> None:
    said = {emotion: np.concatenate(speaker.say(TEXT, emotion=emotion)) for emotion in EMOTIONS}
    heights = {emotion: pitch(sound, speaker.engine.sample_rate) for emotion, sound in said.items()}
    loudness = {emotion: rms(sound) for emotion, sound in said.items()}
    assert heights["sad"] < 0.95 * heights["neutral"] < 0.95 * heights["happy"] / 1.04
    assert min(heights["fearful"], heights["surprised"]) > 1.06 * heights["neutral"]
    assert loudness["angry"] > 1.2 * loudness["neutral"] > 1.4 * loudness["sad"]
    assert len(said["angry"]) < 0.95 * len(said["neutral"]) < 0.9 * len(said["sad"])
    assert len({sound.tobytes() for sound in said.values()}) == len(EMOTIONS)
    for sound in said.values():
        assert np.abs(sound).max() < 0.99
        assert rms(sound) > 0.02


@pytest.mark.parametrize("speed", [0.25, 0.5, 0.8, 1.25, 2, 3, 4])
def test_the_length_follows_the_speed_exactly(speaker: Speaker, speed: float) -> None:
    plain, changed = (np.concatenate(speaker.say(TEXT, speed=each)) for each in (1.0, speed))
    assert len(plain) / len(changed) == pytest.approx(speed, rel=0.01)
    assert np.abs(changed).max() < 0.99
    assert rms(changed) == pytest.approx(rms(plain), rel=0.35)
    height = pitch(plain, speaker.engine.sample_rate)
    assert pitch(changed, speaker.engine.sample_rate) == pytest.approx(height, rel=0.12)


@pytest.mark.parametrize("text", [LONG, TEXT * 3, "银行行长。重要！长大，"])
def test_no_joint_clicks(speaker: Speaker, text: str) -> None:
    parts = speaker.say(text)
    inside = max(float(np.abs(np.diff(part)).max()) for part in parts)
    for part in parts:
        assert abs(part[0]) < 0.001
        assert abs(part[-1]) < 0.001
    assert np.abs(np.diff(speaker.joined(text))).max() == pytest.approx(inside, abs=1e-4)


def test_clauses_of_a_long_text_are_equally_loud_and_complete(speaker: Speaker) -> None:
    sentences = speaker.engine.plan(plain_script(LONG))
    assert sum(each.syllables for each in sentences) == 500
    assert "".join(each.text for each in sentences) == LONG
    parts = speaker.say(LONG)
    levels = 20 * np.log10([rms(part) for part in parts])
    assert np.ptp(levels) < 4  # dB
    for part, sentence in zip(parts, sentences, strict=True):
        assert 0.12 < len(part) / speaker.engine.sample_rate / sentence.syllables < 0.35


def test_two_sessions_at_once_say_what_one_says_alone(speaker: Speaker) -> None:
    others = [Speaker(speaker.engine) for _ in range(2)]
    texts = [f"第{number}句话各不相同，长短{'不一' * (number % 5)}。" for number in range(24)]
    alone = [np.concatenate(speaker.say(text)).tobytes() for text in texts]

    def say_all(other: Speaker) -> list[bytes]:
        return [np.concatenate(other.say(text)).tobytes() for text in texts]

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(say_all, others)) == [alone, alone]


_MEMORY = """
import json, sys, threading
from tts_server.engines import Delivery, create_engine, plain_script
from tts_server.settings import Settings
engine = create_engine(Settings())
engine.load()
sessions = [engine.open_session() for _ in range(2)]
def peak():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1024
def say(session):
    for sentence in engine.plan(plain_script(sys.argv[1], Delivery("baker"))):
        list(session.synthesise(sentence))
before = peak()
threads = [threading.Thread(target=say, args=(session,)) for session in sessions]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(json.dumps([before, peak()]))
"""


def test_memory_with_two_threads_after_five_hundred_characters(cache: Path) -> None:
    """The engine by itself; HTTP, gevent and the cache come on top of it."""
    done = subprocess.run(
        [sys.executable, "-c", _MEMORY, LONG],
        cwd=ROOT,
        env={"XDG_CACHE_HOME": str(cache), "PATH": "", "MALLOC_ARENA_MAX": "2", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    before, after = json.loads(done.stdout)
    assert after < 400, f"{after:.0f} MB"
    assert after - before < 40, "what is warmed does not grow"
