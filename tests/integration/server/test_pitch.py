"""The pitch of the real voice: it follows the factor, and the length stays."""

import numpy as np
import numpy.typing as npt
import pytest

from .conftest import Server

TEXT = "欢迎致电客户服务中心，请问有什么可以帮您？今天天气不错，我们去公园散步吧。"
RATE = 24_000
LOWEST, HIGHEST = 60, 900  # Hz: two octaves around the voice's 255 Hz, and its melody
Samples = npt.NDArray[np.float64]


def say(server: Server, **more: object) -> Samples:
    return np.frombuffer(server.speak(TEXT, response_format="pcm", **more).content, "<i2") / 32_768


def level(samples: Samples) -> float:
    return float(np.sqrt(np.mean(samples**2)))


def pitch(sound: Samples) -> float:
    """The mean pitch in Hz of the voiced stretches, by autocorrelation. Geometric, as pitch is heard."""
    found = []
    for start in range(0, len(sound) - 2048, 600):
        piece = sound[start : start + 2048]
        if level(piece) < 0.03:
            continue
        correlation = np.fft.irfft(np.abs(np.fft.rfft(piece - piece.mean(), 8192)) ** 2)
        low, high = RATE // HIGHEST, RATE // LOWEST
        lag = low + int(np.argmax(correlation[low:high]))
        if correlation[lag] > 0.4 * correlation[0]:
            found.append(RATE / lag)
    assert len(found) > 100, "too little of it is voiced"
    return float(np.exp(np.mean(np.log(found))))


@pytest.mark.parametrize("emotion", ["neutral", "fearful"])
@pytest.mark.parametrize("factor", [0.5, 0.75, 0.9, 1.1, 1.35, 2.0])
def test_the_pitch_follows_the_factor_and_the_length_stays(server: Server, factor: float, emotion: str) -> None:
    plain, changed = (say(server, emotion=emotion, pitch=each) for each in (1.0, factor))
    assert pitch(changed) / pitch(plain) == pytest.approx(factor, rel=0.04)
    assert len(changed) / len(plain) == pytest.approx(1, rel=0.01)
    assert level(changed) == pytest.approx(level(plain), rel=0.3)
    assert np.abs(changed).max() < 0.99


@pytest.mark.parametrize("speed,factor", [(0.5, 2.0), (0.5, 0.5), (2.0, 0.5), (2.0, 2.0), (4.0, 1.5)])
def test_speed_and_pitch_together(server: Server, speed: float, factor: float) -> None:
    plain, changed = say(server, speed=speed), say(server, speed=speed, pitch=factor)
    assert len(changed) / len(plain) == pytest.approx(1, rel=0.02)
    assert len(say(server)) / len(changed) == pytest.approx(speed, rel=0.02)


def test_no_joint_clicks(server: Server) -> None:
    """Pauses are exact silence: what is next to one must be all but silent too."""
    for factor in (0.6, 1.8):
        samples = say(server, pitch=factor)
        silent = np.concatenate([[0], (samples == 0).astype(np.int8), [0]])
        starts, ends = np.flatnonzero(np.diff(silent) == 1), np.flatnonzero(np.diff(silent) == -1)
        pauses = [(start, end) for start, end in zip(starts, ends, strict=True) if end - start > RATE * 0.05]
        assert pauses
        for start, end in pauses:
            assert np.abs(samples[max(0, start - 24) : start]).max(initial=0) < 0.02
            assert np.abs(samples[end : end + 24]).max(initial=0) < 0.02
