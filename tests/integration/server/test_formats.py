"""Real speech in every format, judged by decoders that have nothing to do with the encoders."""

import io
import subprocess
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import soundfile

from devcluster.host.debian import Requirement, ensure
from devcluster.progress import Progress

from .conftest import Server, wait_until

TEXT = "您好，欢迎致电客户服务中心。请问有什么可以帮您？今天天气不错，我们去公园散步吧。"
WORDS = {"mp3": "一", "opus": "二", "aac": "三", "wav": "四", "pcm": "五"}
FULL_SCALE = 32768
Samples = npt.NDArray[np.float64]


def decode(name: str, data: bytes, folder: Path) -> tuple[Samples, int]:
    if name == "pcm":
        return np.frombuffer(data, "<i2") / FULL_SCALE, 24_000
    if name == "aac":
        ensure([Requirement("faad", "faad")], Progress())
        (folder / "sound.aac").write_bytes(data)
        subprocess.run(
            ["faad", "-q", "-o", folder / "sound.wav", folder / "sound.aac"],
            check=True,
            timeout=60,
            capture_output=True,
        )
        data = (folder / "sound.wav").read_bytes()
    samples, rate = soundfile.read(io.BytesIO(data))
    return samples, rate


def rms(samples: Samples) -> float:
    return float(np.sqrt(np.mean(samples**2)))


@pytest.fixture(scope="module")
def samples(server: Server) -> Samples:
    return np.frombuffer(server.speak(TEXT, response_format="pcm").content, "<i2") / FULL_SCALE


@pytest.mark.parametrize("stream_format", [None, "audio"])
@pytest.mark.parametrize("name", ["mp3", "opus", "aac", "wav", "pcm"])
def test_every_format_has_all_of_the_sound(
    server: Server, samples: Samples, tmp_path: Path, name: str, stream_format: str | None
) -> None:
    # Another text for each, so that streams are streams and not from the cache.
    text = TEXT if stream_format is None else f"{TEXT}{WORDS[name]}。"
    asked = server.speak(text, response_format=name, stream_format=stream_format)
    wanted = samples
    if stream_format:
        assert "Content-Length" not in asked.headers
        wanted = np.frombuffer(server.speak(text, response_format="pcm").content, "<i2") / FULL_SCALE
    heard, rate = decode(name, asked.content, tmp_path)
    assert len(heard) / rate == pytest.approx(len(wanted) / 24_000, abs=0.05)
    assert rms(heard) == pytest.approx(rms(wanted), rel=0.1)
    assert np.abs(heard).max() < 0.99
    # The same loudness in every half second from the first to the last: nothing is lost, doubled or out of place.
    for at in np.arange(0, len(wanted) / 24_000 - 0.5, 0.5):
        there = rms(wanted[round(at * 24_000) : round((at + 0.5) * 24_000)])
        assert rms(heard[round(at * rate) : round((at + 0.5) * rate)]) == pytest.approx(there, rel=0.25, abs=0.01)


def test_flac_is_without_loss(server: Server, samples: Samples) -> None:
    heard, rate = soundfile.read(io.BytesIO(server.speak(TEXT, response_format="flac").content))
    assert rate == 24_000
    assert np.array_equal(heard, samples)


def test_no_click_where_sentences_meet(samples: Samples) -> None:
    """Pauses are exact silence: what is next to one must be all but silent too."""
    silent = np.concatenate([[0], (samples == 0).astype(np.int8), [0]])
    starts, ends = np.flatnonzero(np.diff(silent) == 1), np.flatnonzero(np.diff(silent) == -1)
    pauses = [(start, end) for start, end in zip(starts, ends, strict=True) if end - start > 24_000 * 0.05]
    assert len(pauses) >= 2
    for start, end in pauses:
        assert np.abs(samples[max(0, start - 24) : start]).max(initial=0) < 0.02
        assert np.abs(samples[end : end + 24]).max(initial=0) < 0.02


def test_the_first_sound_comes_before_the_last_is_made(server: Server) -> None:
    text = "第一句先到，然后才是后面的。" * 20
    response = server.post({"input": text}, stream=True)
    with response:
        pieces = response.iter_content(None)
        first = next(pieces)
        assert first[:1] == b"\xff"  # an MP3 frame, no header of anything
        assert "Content-Length" not in response.headers  # which the server knows once all is made
        rest = b"".join(pieces)
    assert len(rest) > 10 * len(first)


def test_who_leaves_stops_the_work(server: Server) -> None:
    def figure(name: str) -> float:
        lines = server.get("/metrics").text.splitlines()
        return next((float(line.split()[-1]) for line in lines if line.startswith(name + " ")), 0.0)

    answered = 'tts_requests_total{endpoint="/v1/audio/speech",status="200"}'  # a stream is counted when it ends
    before = figure(answered)
    with server.post({"input": "没有人听的话就不用说完。" * 40}, stream=True) as response:
        next(response.iter_content(None))

    wait_until(lambda: figure(answered) == before + 1)
    wait_until(lambda: figure("tts_queue_depth") == 0)
    assert server.post({"input": "没有人听的话就不用说完。" * 40}).headers["X-Cache"] == "miss"
