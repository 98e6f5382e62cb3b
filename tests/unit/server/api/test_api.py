import json
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tts_server.process.lifecycle import Lifecycle

URL = "/v1/audio/speech"


def speak(client: FlaskClient, **body: Any) -> TestResponse:
    return client.post(URL, json={"input": "你好", "response_format": "wav", **body})


def error(response: TestResponse, status: int) -> dict[str, Any]:
    assert response.status_code == status
    found: dict[str, Any] = response.json["error"] if response.json else {}
    assert set(found) == {"message", "type", "param", "code"}
    assert found["type"] == ("server_error" if status >= 500 else "invalid_request_error")
    assert response.headers["X-Request-Id"]
    return found


def test_wav(client: FlaskClient) -> None:
    response = speak(client)
    assert response.status_code == 200
    assert response.mimetype == "audio/wav"
    assert response.data[:4] == b"RIFF"
    assert len(response.data) == 44 + 2 * 200 == response.content_length
    assert response.headers["X-Cache"] == "miss"


def test_pcm_has_no_header(client: FlaskClient) -> None:
    response = speak(client, response_format="pcm")
    assert (response.mimetype, len(response.data)) == ("audio/pcm", 400)


def test_the_same_again_comes_from_the_cache(client: FlaskClient) -> None:
    first, second, other = speak(client), speak(client, emotion="neutral"), speak(client, voice="two")
    assert (second.headers["X-Cache"], other.headers["X-Cache"]) == ("hit", "miss")
    assert first.data == second.data


def test_another_emotion_is_another_sound(client: FlaskClient) -> None:
    plain, happy = speak(client), speak(client, emotion="happy")
    assert happy.headers["X-Cache"] == "miss"
    assert happy.data != plain.data


def test_what_openai_clients_send(client: FlaskClient) -> None:
    response = speak(client, model="fake", voice={"id": "two"}, speed=2, instructions="warmly", stream=False)
    assert response.status_code == 200
    assert len(response.data) == 44 + 2 * 100


@pytest.mark.parametrize(
    "body,param,code,says",
    [
        ({"input": ""}, "input", "empty_input", "empty"),
        ({"input": " \n"}, "input", "empty_input", "empty"),
        ({"input": "好" * 21}, "input", "input_too_long", "has 21 characters, but the limit is 20"),
        ({"input": 7}, "input", "invalid_value", "'input' must be a string"),
        ({"input": None}, "input", "invalid_value", "'input' must be a string"),
        ({"input": ["好"]}, "input", "invalid_value", "'input' must be a string"),
        ({"input": "123"}, "input", "nothing_to_say", "contains nothing that can be pronounced"),
        ({"input": "你\ud800好"}, "input", "invalid_unicode", "surrogate"),
        ({"voice": "alloy"}, "voice", "unknown_voice", "Unknown voice 'alloy'. Available voices: one, two."),
        (
            {"emotion": "jolly"},
            "emotion",
            "unknown_emotion",
            "Unknown emotion 'jolly'. Available emotions: neutral, happy.",
        ),
        ({"emotion": 3}, "emotion", "invalid_value", "'emotion' must be a string"),
        ({"voice": 3}, "voice", "invalid_value", "'voice' must be a string, or an object"),
        ({"voice": {}}, "voice", "invalid_value", "'voice' must be a string, or an object"),
        (
            {"response_format": "ogg"},
            "response_format",
            "invalid_value",
            "'mp3', 'opus', 'aac', 'flac', 'wav', 'pcm', 'pcm_alaw', 'pcm_mulaw', 'wav_alaw', 'wav_mulaw' or 'g722'",
        ),
        ({"stream_format": "mp4"}, "stream_format", "invalid_value", "must be one of 'audio' or 'sse'"),
        ({"speed": 5}, "speed", "invalid_value", "from 0.25 to 4"),
        ({"speed": "fast"}, "speed", "invalid_value", "from 0.25 to 4"),
        ({"speed": True}, "speed", "invalid_value", "from 0.25 to 4"),
        ({"model": 1}, "model", "invalid_value", "'model' must be a string"),
    ],
)
def test_bad_fields(client: FlaskClient, body: dict[str, Any], param: str, code: str, says: str) -> None:
    found = error(speak(client, **body), 400)
    assert (found["param"], found["code"]) == (param, code)
    assert says in found["message"]


def test_input_is_required(client: FlaskClient) -> None:
    found = error(client.post(URL, json={"model": "fake"}), 400)
    assert found["message"] == "Missing required field 'input'."


def test_unknown_model(client: FlaskClient) -> None:
    found = error(speak(client, model="tts-1"), 404)
    assert (found["code"], found["param"]) == ("model_not_found", "model")
    assert "'fake'" in found["message"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"text"',
        b"\xff\xfe\x00",
        b"{" * 1000,
        b"[" * 60_000,
        b'{"input": NaN}',
        b'{"speed": ' + b"1" * 9000 + b"}",
    ],
)
def test_bad_json(client: FlaskClient, body: bytes) -> None:
    found = error(client.post(URL, data=body, content_type="application/json"), 400)
    assert found["code"] in {"invalid_json", "invalid_value"}


@pytest.mark.parametrize(
    "content_type", [None, "text/plain", "application/x-www-form-urlencoded", "multipart/form-data"]
)
def test_wrong_content_type(client: FlaskClient, content_type: str | None) -> None:
    found = error(client.post(URL, data=b'{"input": "x"}', content_type=content_type), 415)
    assert "application/json" in found["message"]


def test_wrong_method(client: FlaskClient) -> None:
    response = client.get(URL)
    assert "does not support GET. Use POST" in error(response, 405)["message"]
    assert response.headers["Allow"] == "OPTIONS, POST"


def test_nothing_there(client: FlaskClient) -> None:
    assert error(client.get("/v2/secret"), 404)["code"] == "not_found"


def test_too_large_a_body(client: FlaskClient) -> None:
    found = error(client.post(URL, data=b" " * 200_000, content_type="application/json"), 413)
    assert "larger than" in found["message"]


def test_json_of_the_longest_text_fits(client: FlaskClient) -> None:
    body = json.dumps({"input": "𠮷" * 20})
    assert client.post(URL, data=body, content_type="application/json").status_code == 200


def test_lists(client: FlaskClient) -> None:
    models = client.get("/v1/models").json
    assert models is not None
    assert [each["id"] for each in models["data"]] == ["fake"]
    voices = client.get("/v1/audio/voices").json
    assert voices is not None
    assert [(each["id"], each["default"]) for each in voices["voices"]] == [("one", True), ("two", False)]
    assert [each["emotions"] for each in voices["voices"]] == [["neutral", "happy"]] * 2
    assert client.get("/v1/models/fake").status_code == 200
    error(client.get("/v1/models/other"), 404)


def test_before_the_model_is_loaded(app: Flask) -> None:
    client = app.test_client()
    assert client.get("/health").status_code == 200
    assert client.get("/ready").status_code == 503
    response = speak(client)
    assert error(response, 503)["code"] == "model_loading"
    assert response.headers["Retry-After"] == "1"


def test_draining_is_not_ready_but_still_speaks_and_lets_connections_go(
    client: FlaskClient, lifecycle: Lifecycle
) -> None:
    assert client.get("/ready").status_code == 200
    lifecycle.stop()
    assert client.get("/ready").json == {"status": "draining"}
    response = speak(client)
    assert response.status_code == 200
    assert response.headers["Connection"] == "close"


def test_a_broken_engine_is_a_500_and_the_server_lives_on(client: FlaskClient, app: Flask) -> None:
    engine = app.extensions["tts_server"].service.engine

    def fail() -> None:
        raise RuntimeError("out of order")

    engine.on_speak = fail
    assert "out of order" not in error(speak(client), 500)["message"]
    engine.on_speak = lambda: None
    assert speak(client).status_code == 200


def test_request_ids(client: FlaskClient) -> None:
    assert client.get("/health", headers={"X-Request-Id": "abc-1"}).headers["X-Request-Id"] == "abc-1"
    assert client.get("/health", headers={"X-Request-Id": "a b\"'"}).headers["X-Request-Id"] != "a b\"'"


def test_the_text_is_not_logged(client: FlaskClient, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("DEBUG"):
        speak(client, input="秘密")
    assert all("秘密" not in str(vars(record)) for record in caplog.records)
    assert any(getattr(record, "characters", None) == 2 for record in caplog.records)


def test_metrics(client: FlaskClient) -> None:
    speak(client)
    speak(client)
    speak(client, input="")
    client.get("/nowhere/1")
    text = client.get("/metrics").text
    for line in (
        'tts_requests_total{endpoint="/v1/audio/speech",status="200"} 2.0',
        'tts_requests_total{endpoint="other",status="404"} 1.0',
        'tts_rejections_total{reason="empty_input"} 1.0',
        'tts_cache_events_total{event="hit"} 1.0',
        'tts_cache_events_total{event="miss"} 1.0',
        "tts_model_ready 1.0",
        "tts_queue_depth 0.0",
        'tts_request_duration_seconds_bucket{endpoint="/v1/audio/speech",le="0.8"} 3.0',
        'tts_request_duration_seconds_bucket{endpoint="/v1/audio/speech",le="1.2"} 3.0',
        "tts_audio_seconds_total 0.025",
    ):
        assert line in text
