"""``/v1/audio/timestamps``, and times as events beside the audio."""

import base64
import json
from typing import Any

import pytest
import webvtt
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.unit.server.aligning import AligningFakeEngine
from tests.unit.server.api.test_responses import served
from tests.unit.server.conftest import FakeEngine
from tts_server.apikeys import ApiKey

URL = "/v1/audio/timestamps"
TEXT = "你好。你们好"  # at 8000 Hz 100 samples a character, and 400 of silence
WORDS = [("你", 0.0, 0.013), ("好", 0.013, 0.025), ("你", 0.075, 0.088), ("们", 0.088, 0.1), ("好", 0.1, 0.113)]


@pytest.fixture
def engine() -> AligningFakeEngine:
    return AligningFakeEngine()


@pytest.fixture
def timed(engine: AligningFakeEngine) -> FlaskClient:
    return served(engine)


def ask(client: FlaskClient, path: str = URL, **body: Any) -> TestResponse:
    return client.post(path, json={"input": TEXT, **body})


def error(response: TestResponse) -> dict[str, Any]:
    found: dict[str, Any] = (response.json or {})["error"]
    return found


def words(times: dict[str, Any]) -> list[tuple[str, float, float]]:
    return [(each["word"], each["start"], each["end"]) for each in times["words"]]


def test_segments_and_words_by_default(timed: FlaskClient) -> None:
    for status in ("miss", "hit"):
        response = ask(timed)
        assert (response.status_code, response.mimetype) == (200, "application/json")
        assert (response.headers["X-Cache"], response.headers["X-Audio-Seconds"]) == (status, "0.113")
        times = response.json or {}
        assert set(times) == {"duration", "segments", "words"}
        assert times["duration"] == 0.113
        assert words(times) == WORDS
        assert times["segments"] == [
            {"id": 0, "start": 0.0, "end": 0.025, "text": "你好"},
            {"id": 1, "start": 0.075, "end": 0.113, "text": "你们好"},
        ]


def test_what_is_asked_for_and_nothing_else(timed: FlaskClient) -> None:
    times = ask(timed, timestamp_granularities=["viseme", "phoneme"]).json or {}
    assert set(times) == {"duration", "phonemes", "visemes"}
    assert times["phonemes"][1] == {"phoneme": "a1", "start": 0.013, "end": 0.025}
    assert times["visemes"][-1] == {"viseme_id": 0, "start": 0.113}


def test_times_follow_the_speed(timed: FlaskClient) -> None:
    half = ask(timed, speed=2).json or {}
    assert [start for _, start, _ in words(half)] == [0.0, 0.006, 0.063, 0.069, 0.075]  # the pause is the engine's


def test_captions(timed: FlaskClient) -> None:
    srt = ask(timed, response_format="srt")
    assert srt.headers["Content-Type"] == "application/x-subrip; charset=utf-8"
    assert srt.text == "1\n00:00:00,000 --> 00:00:00,075\n你好\n\n2\n00:00:00,075 --> 00:00:00,113\n你们好\n\n"
    vtt = ask(timed, response_format="vtt")
    assert vtt.headers["Content-Type"] == "text/vtt; charset=utf-8"
    assert [each.text for each in webvtt.from_string(vtt.text, strict=True).captions] == ["你好", "你们好"]
    karaoke = ask(timed, response_format="vtt", timestamp_granularities=["word"])
    assert "你<00:00:00.088>们<00:00:00.100>好" in karaoke.text
    assert {each.headers["X-Cache"] for each in (vtt, karaoke)} == {"hit"}


@pytest.mark.parametrize(
    "body,says",
    [
        ({"response_format": "srt", "timestamp_granularities": ["word"]}, "'srt' has no times of words."),
        ({"response_format": "vtt", "timestamp_granularities": ["viseme"]}, "'vtt' has no times of visemes."),
        ({"timestamp_granularities": ["letter"]}, "must be a list of 'segment', 'word', 'phoneme', 'viseme', or some"),
        ({"timestamp_granularities": "word"}, "must be a list of"),
        ({"timestamp_granularities": ["word"] * 9}, "must be a list of"),
    ],
)
def test_granularities_that_are_not_possible(timed: FlaskClient, body: dict[str, Any], says: str) -> None:
    response = ask(timed, **body)
    assert response.status_code == 400
    assert error(response)["param"] == "timestamp_granularities"
    assert says in error(response)["message"]


@pytest.mark.parametrize(
    "body,param",
    [({"response_format": "mp3"}, "response_format"), ({"input": ""}, "input"), ({"voice": "nobody"}, "voice")],
)
def test_what_is_wrong_is_said(timed: FlaskClient, body: dict[str, Any], param: str) -> None:
    response = ask(timed, **body)
    assert (response.status_code, error(response)["param"]) == (400, param)


def test_the_audio_of_the_same_request_is_then_a_hit(timed: FlaskClient, engine: AligningFakeEngine) -> None:
    ask(timed)
    audio = ask(timed, "/v1/audio/speech", response_format="pcm")
    assert (audio.headers["X-Cache"], len(audio.data)) == ("hit", 2 * 900)
    fresh = timed.post(URL, json={"input": TEXT}, headers={"Cache-Control": "no-cache"})
    assert (fresh.headers["X-Cache"], len(engine.said)) == ("miss", 4)
    assert words(fresh.json or {}) == WORDS


@pytest.mark.parametrize("path,body", [(URL, {}), ("/v1/audio/speech", {"stream_format": "sse"})])
def test_an_engine_that_does_not_know_says_so(path: str, body: dict[str, Any]) -> None:
    client = served(FakeEngine())
    response = ask(client, path, timestamp_granularities=["word"], **body)
    assert response.status_code == 400
    assert error(response)["code"] == "timestamps_not_supported"
    assert error(response)["message"] == "The engine 'fake' does not know when words sound."
    assert 'tts_rejections_total{reason="timestamps_not_supported"} 1.0' in client.get("/metrics").text
    assert ask(client, "/v1/audio/speech").status_code == 200


def test_keys_are_needed_as_for_speech(engine: AligningFakeEngine) -> None:
    client = served(engine, api_keys=(ApiKey(name="key-1", key="secret"),))
    assert ask(client).status_code == 401
    assert client.post(URL, json={"input": TEXT}, headers={"Authorization": "Bearer secret"}).status_code == 200
    assert client.post(URL, data="text", headers={"Authorization": "Bearer secret"}).status_code == 415


def events(response: TestResponse) -> list[dict[str, Any]]:
    assert response.mimetype == "text/event-stream"
    return [json.loads(line.removeprefix("data: ")) for line in response.text.split("\n\n") if line]


@pytest.mark.parametrize("name", ["pcm", "mp3"])
def test_each_sentence_is_timed_before_it_is_heard(timed: FlaskClient, name: str) -> None:
    for _ in range(2):
        response = ask(
            timed,
            "/v1/audio/speech",
            response_format=name,
            stream_format="sse",
            timestamp_granularities=["segment", "word"],
        )
        heard = events(response)
        times = [each for each in heard if each["type"] == "speech.audio.timestamps"]
        assert [each["segments"][0]["id"] for each in times] == [0, 1]
        assert [word for each in times for word in words(each)] == WORDS
        assert heard[0] == times[0]
        assert heard[-1]["type"] == "speech.audio.done"
        if name == "pcm":
            samples = 0
            for each in heard[:-1]:
                if each["type"] == "speech.audio.delta":
                    samples += len(base64.b64decode(each["audio"])) // 2
                else:
                    assert samples <= each["words"][0]["start"] * 8000
            assert samples == 900


def test_events_without_times_when_nobody_asks(timed: FlaskClient) -> None:
    bodies: list[dict[str, Any]] = [{}, {"timestamp_granularities": None}, {"timestamp_granularities": []}]
    for body in bodies:
        heard = events(ask(timed, "/v1/audio/speech", response_format="pcm", stream_format="sse", **body))
        assert {each["type"] for each in heard} == {"speech.audio.delta", "speech.audio.done"}


@pytest.mark.parametrize("body", [{}, {"stream_format": "audio"}])
def test_times_without_events_are_refused_and_not_ignored(timed: FlaskClient, body: dict[str, Any]) -> None:
    response = ask(timed, "/v1/audio/speech", timestamp_granularities=["word"], **body)
    assert (response.status_code, error(response)["param"]) == (400, "timestamp_granularities")
    assert "'stream_format': 'sse'" in error(response)["message"]
