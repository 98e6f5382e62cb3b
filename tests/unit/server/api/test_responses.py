"""How an answer comes: as a stream, as events, with a key, to another origin, over the plain API."""

import base64
import io
import json
from pathlib import Path
from typing import Any

import pytest
import soundfile
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.unit.server.conftest import FakeEngine
from tts_server.api.endpoints import speech_responses
from tts_server.apikeys import parse_api_keys
from tts_server.process.lifecycle import Lifecycle
from tts_server.settings import Settings
from tts_server.wsgi.app import create_app

URL = "/v1/audio/speech"
TWO_SENTENCES = "你好。你们好"  # of 200 and 300 samples at 8000 Hz


def served(engine: FakeEngine, **settings: Any) -> FlaskClient:
    lifecycle = Lifecycle()
    app = create_app(Settings(threads=1, **settings), lifecycle=lifecycle, engine=engine)
    app.extensions["tts_server"].service.load()
    lifecycle.loaded()
    return app.test_client()


def speak(client: FlaskClient, text: str = TWO_SENTENCES, **body: Any) -> TestResponse:
    return client.post(URL, json={"input": text, **body}, headers=body.pop("headers", None))


@pytest.mark.parametrize(
    "name,kind", [("mp3", "audio/mpeg"), ("opus", "audio/ogg"), ("flac", "audio/flac"), ("wav", "audio/wav")]
)
def test_formats(client: FlaskClient, name: str, kind: str) -> None:
    for _ in range(2):
        again = speak(client, response_format=name)
        assert again.mimetype == kind
        samples, rate = soundfile.read(io.BytesIO(again.data))
        assert len(samples) / rate == pytest.approx(500 / 8000, abs=0.05)
    assert again.headers["X-Audio-Seconds"] == "0.062"
    assert again.content_length == len(again.data)


def test_mp3_is_the_default(client: FlaskClient) -> None:
    assert speak(client).mimetype == "audio/mpeg"


def test_what_is_one_sentence_has_a_length(client: FlaskClient) -> None:
    response = speak(client, "你好", response_format="opus")
    assert response.content_length == len(response.data)


def test_several_sentences_are_a_stream(client: FlaskClient) -> None:
    response = speak(client, response_format="pcm")
    assert response.content_length is None
    assert response.headers["X-Accel-Buffering"] == "no"
    assert len(response.data) == 2 * 500


def test_a_wav_stream_leaves_its_length_open(client: FlaskClient) -> None:
    data = speak(client, response_format="wav", stream_format="audio").data
    assert (data[4:8], data[40:44]) == (b"\xff" * 4, b"\xff" * 4)
    assert len(data) == 44 + 2 * 500


def test_events(client: FlaskClient) -> None:
    response = speak(client, response_format="pcm", stream_format="sse")
    assert response.mimetype == "text/event-stream"
    events = [json.loads(each.removeprefix("data: ")) for each in response.text.split("\n\n") if each]
    assert [each["type"] for each in events] == ["speech.audio.delta"] * 2 + ["speech.audio.done"]
    assert len(b"".join(base64.b64decode(each["audio"]) for each in events[:-1])) == 2 * 500
    assert events[-1]["usage"] == {"input_tokens": 6, "output_tokens": 1, "total_tokens": 7}


def test_no_event_has_more_than_a_client_can_use_at_once(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speech_responses, "_EVENT_BYTES", 300)
    for expected in ("miss", "hit"):
        response = speak(client, response_format="pcm", stream_format="sse")
        assert response.headers["X-Cache"] == expected
        events = [json.loads(each.removeprefix("data: ")) for each in response.text.split("\n\n") if each]
        pieces = [base64.b64decode(each["audio"]) for each in events[:-1]]
        assert max(map(len, pieces)) == 300
        assert b"".join(pieces) == speak(client, response_format="pcm").data


def test_errors_come_before_a_stream(client: FlaskClient) -> None:
    assert speak(client, "123", stream_format="sse").status_code == 400
    assert speak(client, "123", stream_format="sse").mimetype == "application/json"


def test_a_stream_is_logged_and_counted_when_it_ends(client: FlaskClient) -> None:
    with speak(client, response_format="pcm") as response:
        assert 'tts_requests_total{endpoint="/v1/audio/speech"' not in client.get("/metrics").text
        assert response.data
    assert 'tts_requests_total{endpoint="/v1/audio/speech",status="200"} 1.0' in client.get("/metrics").text


@pytest.mark.parametrize(
    "request_",
    [
        {"query_string": {"text": "你好", "voice": "two", "format": "pcm", "speed": "2", "emotion": ""}},
        {"method": "POST", "data": {"text": "你好", "voice": "two", "format": "pcm", "speed": "2"}},
        {"method": "POST", "json": {"text": "你好", "voice": "two", "format": "pcm", "speed": 2}},
        {"method": "POST", "data": "你好".encode(), "query_string": {"voice": "two", "format": "pcm", "speed": "2"}},
        {
            "method": "POST",
            "data": "你好".encode(),
            "content_type": "text/plain",
            "query_string": {"format": "pcm", "speed": "2"},
        },
    ],
)
def test_the_plain_api(client: FlaskClient, request_: dict[str, Any]) -> None:
    response = client.open("/api/tts", **request_)
    assert response.status_code == 200, response.text
    assert (response.mimetype, len(response.data)) == ("audio/pcm", 200)


@pytest.mark.parametrize(
    "request_,status,says",
    [
        ({}, 400, "Missing required field 'text'."),
        ({"query_string": {"text": "好", "speed": "9"}}, 400, "'speed' must be a number from 0.25 to 4."),
        ({"query_string": {"text": "好", "format": "ogg"}}, 400, "'format' must be one of 'mp3'"),
        ({"query_string": {"text": "好" * 21}}, 400, "'text' has 21 characters"),
        ({"method": "POST", "data": b"\xff\xfe"}, 400, "not valid UTF-8"),
        ({"method": "POST", "data": b"x", "content_type": "image/png"}, 415, "must be text/plain"),
        ({"method": "DELETE"}, 405, "Use GET or POST"),
    ],
)
def test_the_plain_api_refuses(client: FlaskClient, request_: dict[str, Any], status: int, says: str) -> None:
    response = client.open("/api/tts", **request_)
    assert response.status_code == status
    assert response.json is not None
    assert says in response.json["error"]["message"]


def test_keys(engine: FakeEngine) -> None:
    client = served(engine, api_keys=parse_api_keys("secret-1 secret-2"))
    for header in (None, "Bearer wrong", "Bearer secret", "Basic secret-1", "Bearer ", "secret-1", "Bearer secret-1x"):
        headers = {"Authorization": header} if header else {}
        for path in (URL, "/api/tts"):
            response = client.post(path, json={"input": "好"}, headers=headers)
            assert response.status_code == 401
            assert response.json is not None
            assert response.json["error"]["code"] == "invalid_api_key"
            assert response.headers["WWW-Authenticate"] == "Bearer"
    for key in ("secret-1", "secret-2"):
        assert client.get("/api/tts?text=好", headers={"Authorization": f"Bearer {key}"}).status_code == 200
    for path in (
        "/",
        "/health",
        "/ready",
        "/metrics",
        "/openapi.json",
        "/v1/models",
        "/v1/audio/models",
        "/v1/audio/voices",
    ):
        assert client.get(path).status_code == 200
    assert 'tts_rejections_total{reason="invalid_api_key"} 14.0' in client.get("/metrics").text


def test_other_origins_get_nothing_by_default(client: FlaskClient) -> None:
    response = client.options(URL, headers={"Origin": "https://page.example"})
    assert not [name for name, _ in response.headers.to_wsgi_list() if name.startswith("Access-Control")]


def test_origins_that_are_named_may_call(engine: FakeEngine) -> None:
    client = served(engine, cors_origins=("https://page.example",))
    asked = client.options(URL, headers={"Origin": "https://page.example"})
    assert asked.headers["Access-Control-Allow-Origin"] == "https://page.example"
    assert "Authorization" in asked.headers["Access-Control-Allow-Headers"]
    response = client.get("/api/tts?text=好", headers={"Origin": "https://page.example"})
    assert "X-Cache" in response.headers["Access-Control-Expose-Headers"]
    assert response.headers["Vary"] == "Origin"
    other = client.get("/health", headers={"Origin": "https://other.example"})
    assert "Access-Control-Allow-Origin" not in other.headers


def test_models_as_open_webui_asks(client: FlaskClient) -> None:
    assert client.get("/v1/audio/models").json == {"models": [{"id": "fake", "name": "fake"}]}


def test_the_document_describes_every_route(client: FlaskClient, app: Flask) -> None:
    document = client.get("/openapi.json").json
    assert document is not None
    assert routes(app) == described(document)
    asked = document["components"]["schemas"]["SpeechRequest"]
    assert asked["required"] == ["input"]
    assert asked["properties"]["input"]["maxLength"] == 4 * 20 + 1024  # SSML with its markup
    assert "At most 20 characters" in asked["properties"]["input"]["description"]


def test_the_document_of_a_server_that_takes_jobs_describes_them(engine: FakeEngine, tmp_path: Path) -> None:
    app = create_app(Settings(jobs_storage=str(tmp_path)), lifecycle=Lifecycle(), engine=engine)
    document = app.test_client().get("/openapi.json").json
    assert document is not None
    assert routes(app) == described(document)
    assert ("/v1/audio/jobs/{job_id}", "delete") in routes(app)
    assert {"Job", "JobList", "JobRequest", "JobMessage"} <= set(document["components"]["schemas"])


def routes(app: Flask) -> set[tuple[str, str]]:
    """The paths and methods of the API. Those that only say that there are no jobs are none."""
    pages = {"/", "/jobs", "/static/<path:filename>", "/static/<version>/<name>"}
    return {
        (rule.rule.replace("<path:", "{").replace("<", "{").replace(">", "}"), method.lower())
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if rule.rule not in pages and not rule.endpoint.startswith("no_jobs.")
    }


def described(document: dict[str, Any]) -> set[tuple[str, str]]:
    methods = ("get", "post", "delete")
    return {(path, method) for path, item in document["paths"].items() for method in item if method in methods}


def test_a_model_of_the_hub_has_a_slash_in_its_name(engine: FakeEngine) -> None:
    client = served(engine, model_name="damo/speech_sambert")
    described = client.get("/v1/models/damo/speech_sambert")
    assert described.json is not None
    assert described.json["id"] == "damo/speech_sambert"
    assert client.get("/v1/models/damo/other").status_code == 404


@pytest.mark.parametrize("asked", ["no-cache", "no-store", "max-age=0, no-cache"])
@pytest.mark.parametrize("target", ["pcm", "mp3"])
def test_fresh_speech_is_made_now_and_not_kept(
    client: FlaskClient, engine: FakeEngine, asked: str, target: str
) -> None:
    def ask(**headers: str) -> TestResponse:
        return client.post(URL, json={"input": "你好", "response_format": target}, headers=headers)

    fresh = [ask(**{"Cache-Control": asked}) for _ in range(2)]
    assert [each.headers["X-Cache"] for each in fresh] == ["miss"] * 2
    kept = [ask() for _ in range(3)]
    assert [each.headers["X-Cache"] for each in kept] == ["miss", "hit", "hit"]
    assert ask(**{"Cache-Control": asked}).headers["X-Cache"] == "miss"
    assert ask(**{"Cache-Control": "max-age=0"}).headers["X-Cache"] == "hit"
    assert engine.said == ["你好"] * 4
    assert {each.data for each in fresh + kept} == {kept[0].data}


def test_the_plain_api_speaks_afresh_too(client: FlaskClient, engine: FakeEngine) -> None:
    for _ in range(2):
        answer = client.get("/api/tts?text=好", headers={"Cache-Control": "no-store"})
        assert answer.headers["X-Cache"] == "miss"
    assert engine.said == ["好"] * 2


def test_fresh_speech_is_in_the_document(client: FlaskClient) -> None:
    document = client.get("/openapi.json").json
    assert document is not None
    for path, method in (("/v1/audio/speech", "post"), ("/api/tts", "get"), ("/api/tts", "post")):
        assert "Cache-Control" in [each["name"] for each in document["paths"][path][method]["parameters"]]
