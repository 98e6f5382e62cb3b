"""Times of words from the real server, against the audio that it sends."""

import base64
import io
import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pysubs2
import pytest
import redis
import requests
import webvtt

from .conftest import Server, wait_until
from .test_redis import running_redis, url_of

RATE = 24_000
TEXT = "今天开会，请带上iPhone。会议室在3楼，左边第一间！您记住了吗？"


def times(server: Server, text: str = TEXT, **body: Any) -> requests.Response:
    response = requests.post(server.url + "/v1/audio/timestamps", json={"input": text, **body}, timeout=60)
    assert response.status_code == 200, response.text
    return response


def events(server: Server, text: str = TEXT, **body: Any) -> list[dict[str, Any]]:
    response = server.post({"input": text, "stream_format": "sse", **body})
    assert response.status_code == 200, response.text
    return [json.loads(line.removeprefix("data: ")) for line in response.content.decode().split("\n\n") if line]


def samples_of(server: Server, text: str = TEXT, **body: Any) -> npt.NDArray[np.float64]:
    response = server.post({"input": text, "response_format": "pcm", **body})
    assert response.status_code == 200, response.text
    return np.frombuffer(response.content, "<i2") / 32768


def rms(samples: npt.NDArray[np.float64]) -> float:
    return float(np.sqrt(np.mean(samples**2)))


@pytest.mark.parametrize(
    "how", [{"speed": 0.5}, {}, {"speed": 2.5}, {"pitch": 0.6}, {"pitch": 1.8, "speed": 2.5}, {"sample_rate": 8000}]
)
def test_where_a_word_is_there_is_sound_and_between_sentences_there_is_none(
    server: Server, how: dict[str, Any]
) -> None:
    speed, rate = how.get("speed", 1), how.get("sample_rate", RATE)
    found = times(server, **how).json()
    samples = samples_of(server, **how)
    assert found["duration"] == pytest.approx(len(samples) / rate, abs=0.001)
    for segment in found["segments"]:
        assert rms(samples[round(segment["start"] * rate) : round(segment["end"] * rate)]) > 0.02
    for before, after in itertools.pairwise(found["segments"]):
        end = round(after["start"] * rate)
        assert after["start"] - before["end"] > 0.2 / speed
        # The last tenth of a second, because a voice rings on after a word.
        assert rms(samples[end - round(0.1 / speed * rate) : end - rate // 100]) < 0.005
    ordered = [time for word in found["words"] for time in (word["start"], word["end"])]
    assert ordered == sorted(ordered)


def test_words_are_those_that_are_spoken(server: Server) -> None:
    found = times(server).json()
    spoken = "".join(word["word"] for word in found["words"])
    assert spoken == "今天开会请带上iPhone会议室在三楼左边第一间您记住了吗"
    assert [segment["id"] for segment in found["segments"]] == list(range(len(found["segments"])))
    for word in found["words"]:
        assert word["word"] in found["segments"][word["segment"]]["text"]


def test_captions_are_read_by_other_libraries(server: Server) -> None:
    found = times(server).json()
    srt = pysubs2.SSAFile.from_string(times(server, response_format="srt").text, format_="srt")
    assert srt[0].start == round(found["words"][0]["start"] * 1000)
    assert srt[-1].end <= found["duration"] * 1000 + 1
    assert all(before.end <= after.start for before, after in itertools.pairwise(srt))
    vtt = webvtt.from_buffer(io.StringIO(times(server, response_format="vtt").text), strict=True).captions
    assert [each.text for each in vtt] == [each.plaintext for each in srt]
    assert all(len(each.text) <= 22 for each in vtt)


def test_events_come_with_the_audio_that_they_time(server: Server) -> None:
    everything = ["segment", "word", "phoneme", "viseme"]
    alone = times(server, timestamp_granularities=everything).json()
    for name in ("pcm", "mp3", "opus"):
        heard = events(server, response_format=name, timestamp_granularities=everything)
        timed = [each for each in heard if each["type"] == "speech.audio.timestamps"]
        for kind in ("segments", "words", "phonemes", "visemes"):
            assert [entry for each in timed for entry in each[kind]] == alone[kind]
        assert heard.index(timed[0]) < [each["type"] for each in heard].index("speech.audio.delta")
    audio = b"".join(
        base64.b64decode(each["audio"])
        for each in events(server, response_format="pcm", timestamp_granularities=["viseme"])
        if each["type"] == "speech.audio.delta"
    )
    assert audio == server.post({"input": TEXT, "response_format": "pcm"}).content


def test_a_sample_rate_and_a_telephone_format_change_no_times(server: Server) -> None:
    """The audio of each format has the length that the times are for."""
    how: dict[str, Any] = {"pitch": 1.3, "volume": 0.5}
    alone = times(server, **how).json()
    assert times(server, sample_rate=8000, **how).json() == alone
    for name, rate, asked in (("pcm_alaw", 8000, None), ("pcm_mulaw", 16_000, 16_000), ("g722", 8000, None)):
        heard = events(
            server, response_format=name, sample_rate=asked, timestamp_granularities=["segment", "word"], **how
        )
        timed = [each for each in heard if each["type"] == "speech.audio.timestamps"]
        assert [word for each in timed for word in each["words"]] == alone["words"]
        assert [segment for each in timed for segment in each["segments"]] == alone["segments"]
        deltas = [each["audio"] for each in heard if each["type"] == "speech.audio.delta"]
        bytes_ = sum(len(base64.b64decode(each)) for each in deltas)
        assert bytes_ / rate == pytest.approx(alone["duration"], abs=0.002)  # a byte is two samples of G.722


def test_the_mouth_is_closed_in_pauses_and_moves_in_words(server: Server) -> None:
    found = times(server, timestamp_granularities=["word", "viseme"]).json()
    shown = [*((each["start"], each["viseme_id"]) for each in found["visemes"]), (found["duration"], 0)]
    for (start, shape), (end, _) in itertools.pairwise(shown):
        middle = (start + end) / 2
        lead = 0.05 if shape else 0.0  # the mouth takes a shape before it is heard
        spoken = any(word["start"] - lead <= middle <= word["end"] for word in found["words"])
        assert spoken == (shape != 0), (start, shape)
    assert len({shape for _, shape in shown}) > 8


def test_markup_and_lexicons_are_timed_as_they_are_spoken(server: Server) -> None:
    ssml = '<speak>您好<break time="1s"/>行长<prosody rate="200%">请进请坐</prosody></speak>'
    found = times(server, ssml, lexicon={"行长": "hang2 zhang3"}, timestamp_granularities=["word", "phoneme"]).json()
    assert "".join(word["word"] for word in found["words"]) == "您好行长请进请坐"
    assert [each["phoneme"] for each in found["phonemes"][4:8]] == ["h", "ang2", "zh", "ang3"]
    [before, after] = [next(w for w in found["words"] if each in w["word"]) for each in ("好", "行")]
    assert after["start"] - before["end"] > 0.95
    # At 100 % it would be spoken in one go with what is before it.
    slow = times(server, ssml.replace("200%", "101%")).json()
    assert slow["duration"] - found["duration"] > 0.3


def test_a_long_text_is_timed_to_its_end(server: Server) -> None:
    text = "春眠不觉晓处处闻啼鸟夜来风雨声花落知多少" * 25
    found = times(server, text).json()
    assert "".join(word["word"] for word in found["words"]) == text
    assert found["words"][-1]["end"] == pytest.approx(len(samples_of(server, text)) / RATE, abs=0.5)


@pytest.mark.parametrize("key", ["", "A" * 43], ids=["with a checksum", "signed"])
def test_servers_share_times_through_redis(
    start_together: Callable[..., list[Server]], tmp_path: Path, key: str
) -> None:
    with running_redis(tmp_path) as (_, port), redis.Redis(port=port) as client:
        settings = {"TTS_REDIS_URL": url_of(port), "TTS_THREADS": "1"}
        if key:
            settings["TTS_REDIS_SIGNING_KEY"] = key
        first, second, third, fourth = start_together(*[settings] * 4)
        first.speak(TEXT)  # as a server did that knew nothing of times
        wait_until(lambda: client.dbsize() == 1)
        made = times(second)
        assert made.headers["X-Cache"] == "miss"
        wait_until(lambda: client.dbsize() == 2)
        shared = times(third)
        assert (shared.headers["X-Cache"], shared.json()) == ("hit", made.json())
        assert third.speak(TEXT).headers["X-Cache"] == "hit"
        [name] = client.keys("*timing*")
        client.setrange(name, 40, b"damaged")
        again = times(fourth)
        assert (again.headers["X-Cache"], again.json()) == ("miss", made.json())
