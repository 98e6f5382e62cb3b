"""What clients and probes see while the backend of the engine cannot speak."""

from collections.abc import Callable

import gevent
import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.unit.server.api.test_api import error, speak
from tests.unit.server.conftest import FakeEngine
from tts_server.engines import BackedEngine, BackendError, BackendRefusedError, BackendRequest
from tts_server.process.lifecycle import Lifecycle
from tts_server.settings import Settings
from tts_server.synthesis import backend_watch
from tts_server.wsgi.app import create_app


class FakeBackend:
    retry_after = 3

    def __init__(self) -> None:
        self.problem = ""
        self.checks = 0
        self.in_flight = 0
        self.ended: list[BackendRequest] = []

    def check(self) -> None:
        self.checks += 1

    def take_requests(self) -> list[BackendRequest]:
        taken, self.ended = self.ended, []
        return taken


class FakeBackedEngine(FakeEngine):
    def __init__(self) -> None:
        super().__init__()
        self.backend = FakeBackend()


@pytest.fixture
def engine() -> FakeBackedEngine:
    return FakeBackedEngine()


@pytest.fixture
def backend(engine: FakeBackedEngine) -> FakeBackend:
    return engine.backend


def fail_with(error: Exception) -> Callable[[], None]:
    def fail() -> None:
        raise error

    return fail


def until(condition: Callable[[], bool]) -> None:
    with gevent.Timeout(10, TimeoutError("nothing has changed")):
        while not condition():
            gevent.sleep(0.001)


def test_an_engine_with_a_backend_is_known_by_it(engine: FakeBackedEngine) -> None:
    assert isinstance(engine, BackedEngine)
    assert not isinstance(FakeEngine(), BackedEngine)


def test_the_server_is_not_ready_and_says_why(client: FlaskClient, backend: FakeBackend) -> None:
    assert client.get("/ready").json == {"status": "ready"}
    backend.problem = "It is gone."
    response = client.get("/ready")
    assert response.status_code == 503
    assert response.json == {"status": "backend_unavailable", "message": "It is gone."}
    assert client.get("/health").status_code == 200
    backend.problem = ""
    assert client.get("/ready").status_code == 200


def test_new_texts_wait_and_cached_ones_are_spoken(
    client: FlaskClient, engine: FakeBackedEngine, backend: FakeBackend
) -> None:
    assert speak(client).status_code == 200
    backend.problem = "It is gone."
    assert speak(client).headers["X-Cache"] == "hit"
    response = speak(client, input="再见")
    assert error(response, 503)["code"] == "backend_unavailable"
    assert response.headers["Retry-After"] == "3"
    assert "gone" not in response.get_data(as_text=True), "what is inside is for the log"
    fresh = client.post("/v1/audio/speech", json={"input": "你好"}, headers={"Cache-Control": "no-cache"})
    assert error(fresh, 503)["code"] == "backend_unavailable"
    assert engine.said == ["你好"]


def test_a_sentence_that_fails_has_a_status_and_is_not_cached(client: FlaskClient, engine: FakeBackedEngine) -> None:
    engine.on_speak = fail_with(BackendError("It broke off.", retry_after=2))
    response = speak(client)
    assert error(response, 503)["code"] == "backend_unavailable"
    assert response.headers["Retry-After"] == "2"
    engine.on_speak = fail_with(BackendRefusedError("It does not know this word."))
    response = speak(client)
    assert error(response, 502)["code"] == "backend_refused"
    assert "Retry-After" not in response.headers
    engine.on_speak = lambda: None
    assert speak(client).headers["X-Cache"] == "miss"


def test_a_failure_in_the_middle_is_no_end(client: FlaskClient, engine: FakeBackedEngine) -> None:
    def fail_later() -> None:
        if len(engine.said) > 1:
            raise BackendError("It broke off.")

    engine.on_speak = fail_later
    with pytest.raises(ConnectionResetError):
        speak(client, input="你好。再见", response_format="pcm").get_data()
    page = client.get("/metrics").get_data(as_text=True)
    assert 'tts_interruptions_total{reason="backend_unavailable"} 1.0' in page
    engine.on_speak = lambda: None
    assert speak(client, input="你好。再见", response_format="pcm").headers["X-Cache"] == "miss"


def test_the_backend_is_checked_and_the_metrics_say_so(
    monkeypatch: pytest.MonkeyPatch, engine: FakeBackedEngine, backend: FakeBackend, lifecycle: Lifecycle
) -> None:
    monkeypatch.setattr(backend_watch, "_CHECK_SECONDS", 0.001)
    app: Flask = create_app(Settings(threads=1), lifecycle=lifecycle, engine=engine)
    app.extensions["tts_server"].service.load()
    until(lambda: backend.checks > 2)
    client = app.test_client()
    backend.problem = "It is gone."
    until(lambda: "tts_model_ready 0.0" in client.get("/metrics").get_data(as_text=True))
    backend.problem = ""
    until(lambda: "tts_model_ready 1.0" in client.get("/metrics").get_data(as_text=True))


def test_requests_to_the_backend_are_counted(
    monkeypatch: pytest.MonkeyPatch, client: FlaskClient, engine: FakeBackedEngine, lifecycle: Lifecycle
) -> None:
    assert "tts_backend" not in create_app(Settings(threads=1), lifecycle=lifecycle).test_client().get(
        "/metrics"
    ).get_data(as_text=True), "0 would say that a backend is away"
    monkeypatch.setattr(backend_watch, "_COUNT_SECONDS", 0.001)
    app = create_app(Settings(threads=1), lifecycle=lifecycle, engine=engine)
    app.extensions["tts_server"].service.load()
    client = app.test_client()

    def shown() -> set[str]:
        return set(client.get("/metrics").get_data(as_text=True).splitlines())

    engine.backend.ended = [
        BackendRequest("success", 0.15, 2.5, retries=2),
        BackendRequest("failed", 0.001, 0.001),
    ]
    until(lambda: 'tts_backend_requests_total{outcome="failed"} 1.0' in shown())
    engine.backend.in_flight = 3
    assert shown() >= {
        "tts_backend_ready 1.0",
        "tts_backend_requests_in_flight 3.0",
        'tts_backend_requests_total{outcome="success"} 1.0',
        'tts_backend_requests_total{outcome="busy"} 0.0',
        "tts_backend_retries_total 2.0",
        "tts_backend_request_duration_seconds_count 1.0",
        'tts_backend_request_duration_seconds_bucket{le="2.0"} 0.0',
        'tts_backend_request_duration_seconds_bucket{le="3.0"} 1.0',
        'tts_backend_time_to_first_audio_seconds_bucket{le="0.1"} 0.0',
        'tts_backend_time_to_first_audio_seconds_bucket{le="0.2"} 1.0',
    }
    engine.backend.problem = "It is gone."
    assert "tts_backend_ready 0.0" in shown()
