"""Requests whose client has closed its connection before any audio was ready."""

import time
from typing import Any

import pytest

from tests.unit.server.aligning import AligningFakeEngine
from tests.unit.server.api.test_responses import served
from tts_server.api.endpoints.speech_responses import HAS_LEFT
from tts_server.apikeys import ApiKey, Limits

SHOP = ApiKey("shop", "a", Limits(characters_per_minute=4))
HEADERS = {"Authorization": "Bearer a"}


@pytest.mark.parametrize(
    "path,body",
    [
        *[("/v1/audio/speech", {"response_format": each}) for each in ("pcm", "wav", "flac", "mp3", "pcm_alaw")],
        ("/v1/audio/speech", {"response_format": "wav", "sample_rate": 16000}),
        ("/v1/audio/speech", {"stream_format": "sse"}),
        ("/v1/audio/speech", {"stream_format": "sse", "timestamp_granularities": ["word"]}),
        ("/v1/audio/timestamps", {}),
    ],
)
def test_their_work_ends_and_costs_nothing(path: str, body: dict[str, Any]) -> None:
    engine = AligningFakeEngine()
    engine.on_speak = lambda: time.sleep(0.02)  # on the engine's thread, so that nothing is ready at once
    client = served(engine, api_keys=(SHOP,))

    def ask(**more: Any) -> Any:
        return client.post(path, json={"input": "你。好", **body}, headers=HEADERS, **more)

    left = ask(environ_overrides={HAS_LEFT: lambda: True})
    assert (left.status_code, left.json["error"]["code"]) == (499, "client_closed_request")
    with ask() as answer:
        assert answer.status_code == 200
        assert answer.data
    metrics = client.get("/metrics").text
    assert 'tts_key_characters_total{key="shop"} 3.0' in metrics
    assert 'tts_rejections_total{reason="client_closed_request"} 1.0' in metrics
