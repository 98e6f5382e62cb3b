"""Sample rates, volume and pitch as fields of requests: what is answered, refused and kept."""

import io
import struct
from typing import Any

import numpy as np
import pytest
import soundfile
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.unit.server.conftest import FakeEngine
from tts_server.audio.encoding import FORMATS, at_rate
from tts_server.audio.pcm import BYTES_PER_SAMPLE
from tts_server.cache.memory import AudioCache
from tts_server.engines import Delivery, Sentence
from tts_server.observability.metrics import Metrics
from tts_server.synthesis.scheduler import Job
from tts_server.synthesis.service import SpeechService, Utterance

URL = "/v1/audio/speech"
TEXT = "你好。你们好"  # 500 samples at the fake engine's 8000 Hz, in two sentences
ENGINE_RATE = FakeEngine.sample_rate


def speak(client: FlaskClient, text: str = TEXT, **body: Any) -> TestResponse:
    return client.post(URL, json={"input": text, **body})


@pytest.mark.parametrize("rate", [8000, 16_000, 22_050, 24_000, 44_100, 48_000])
def test_a_file_has_the_rate_that_was_asked_for(client: FlaskClient, rate: int) -> None:
    for name in ("wav", "flac", "wav_mulaw"):
        for _ in range(2):  # the second one from the cache
            response = speak(client, response_format=name, sample_rate=rate)
            samples, found = soundfile.read(io.BytesIO(response.data))
            assert (found, response.headers["X-Audio-Seconds"]) == (rate, "0.062")
            assert len(samples) == round(500 * rate / ENGINE_RATE) + (name == "wav_mulaw") * (500 * rate // 8000 % 2)
        assert response.headers["X-Cache"] == "hit"


@pytest.mark.parametrize(
    "body,kind,size",
    [
        ({"response_format": "pcm_alaw"}, "audio/PCMA;rate=8000", 500),
        ({"response_format": "pcm_mulaw"}, "audio/PCMU;rate=8000", 500),
        ({"response_format": "pcm_alaw", "sample_rate": 16_000}, "audio/PCMA;rate=16000", 1000),
        ({"response_format": "g722"}, "audio/G722;rate=8000", 500),
        ({"response_format": "pcm"}, "audio/pcm;rate=8000", 1000),
        ({"response_format": "pcm", "sample_rate": 16_000}, "audio/pcm;rate=16000", 2000),
        ({"response_format": "wav_alaw"}, "audio/wav", 558),
    ],
)
def test_telephone_formats(client: FlaskClient, body: dict[str, Any], kind: str, size: int) -> None:
    asked = [speak(client, **body) for _ in range(3)]
    plain = client.get("/api/tts", query_string={"text": TEXT, "format": body["response_format"], **body})
    for response in (*asked, plain):
        assert (response.headers["Content-Type"], len(response.data)) == (kind, size)
    assert len({response.data for response in (*asked, plain)}) == 1


def test_a_stream_of_a_wav_file_has_the_rate_and_no_length(client: FlaskClient) -> None:
    for name, text, rate, head in (("wav", TEXT, 16_000, 44), ("wav_alaw", f"{TEXT}们", 8000, 58)):
        data = speak(client, text, response_format=name, sample_rate=rate, stream_format="audio").data
        assert struct.unpack_from("<I", data, 24) == (rate,)
        assert data[4:8] == data[head - 4 : head] == b"\xff" * 4
        whole = speak(client, text, response_format=name, sample_rate=rate).data
        assert whole[head:] == data[head:]
        assert struct.unpack_from("<I", whole, head - 4) == (len(whole) - head,)
        assert struct.unpack_from("<I", whole, 4) == (len(whole) - 8,)


@pytest.mark.parametrize(
    "body,param,says",
    [
        ({"sample_rate": 11_025}, "sample_rate", "'sample_rate' must be 8000, 16000, 22050, 24000, 44100 or 48000."),
        ({"sample_rate": "8000"}, "sample_rate", "'sample_rate' must be 8000, 16000,"),
        ({"sample_rate": 8000.5}, "sample_rate", "'sample_rate' must be 8000, 16000,"),
        ({"sample_rate": True}, "sample_rate", "'sample_rate' must be 8000, 16000,"),
        ({"sample_rate": [8000]}, "sample_rate", "'sample_rate' must be 8000, 16000,"),
        (
            {"sample_rate": 8000, "response_format": "opus"},
            "sample_rate",
            "The sample rate of opus is 48000 Hz, not 8000. These formats can have it: mp3, aac, flac, wav, pcm,",
        ),
        (
            {"sample_rate": 8000, "response_format": "g722"},
            "sample_rate",
            "The sample rate of g722 is 16000 Hz, not 8000.",
        ),
        ({"volume": -0.1}, "volume", "'volume' must be a number from 0 to 2."),
        ({"volume": 2.1}, "volume", "'volume' must be a number from 0 to 2."),
        ({"volume": "loud"}, "volume", "'volume' must be a number from 0 to 2."),
        ({"pitch": 0.4}, "pitch", "'pitch' must be a number from 0.5 to 2."),
        ({"pitch": 0}, "pitch", "'pitch' must be a number from 0.5 to 2."),
        ({"pitch": None, "volume": {}}, "volume", "'volume' must be a number from 0 to 2."),
    ],
)
def test_what_is_impossible_is_refused(client: FlaskClient, body: dict[str, Any], param: str, says: str) -> None:
    response = speak(client, **body)
    assert (response.status_code, response.json is not None) == (400, True)
    error = (response.json or {})["error"]
    assert (error["param"], error["code"], error["type"]) == (param, "invalid_value", "invalid_request_error")
    assert error["message"].startswith(says)


def test_the_plain_api_refuses_too(client: FlaskClient) -> None:
    for query, says in (
        ({"format": "opus", "sample_rate": "16000"}, "The sample rate of opus is 48000 Hz, not 16000."),
        ({"sample_rate": "1e4"}, "'sample_rate' must be 8000,"),
        ({"volume": "nan"}, "'volume' must be a number from 0 to 2."),
        ({"pitch": "inf"}, "'pitch' must be a number from 0.5 to 2."),
    ):
        response = client.get("/api/tts", query_string={"text": "好", **query})
        assert (response.status_code, says in response.text) == (400, True), response.text


def test_opus_has_its_own_rate(client: FlaskClient) -> None:
    samples, rate = soundfile.read(io.BytesIO(speak(client, response_format="opus", sample_rate=48_000).data))
    assert rate == 48_000
    assert len(samples) == pytest.approx(3000, abs=1)


def test_a_text_is_synthesised_once_for_all_formats_and_rates(client: FlaskClient, engine: FakeEngine) -> None:
    kinds = [("pcm", None), ("pcm", 16_000), ("wav", 16_000), ("wav", None), ("pcm_alaw", None), ("g722", None)]
    first = {kind: speak(client, response_format=kind[0], sample_rate=kind[1]).data for kind in kinds}
    again = {kind: speak(client, response_format=kind[0], sample_rate=kind[1]).data for kind in kinds}
    assert engine.said == ["你好", "你们好"]
    assert first == again
    for rate in (None, 16_000):
        assert first["wav", rate][44:] == first["pcm", rate]


def test_formats_that_differ_in_their_header_share_what_is_encoded() -> None:
    def payload(name: str, rate: int | None = None) -> str:
        return at_rate(FORMATS[name], rate).payload(24_000)

    assert payload("pcm_alaw") == payload("wav_alaw", 8000) != payload("pcm_mulaw")
    assert payload("pcm", 24_000) == payload("wav") != payload("wav", 8000)
    assert payload("mp3") == payload("mp3", 24_000) != payload("mp3", 22_050)
    assert len({payload(name) for name in FORMATS}) == len(FORMATS) - 3


def test_volume_and_pitch_are_spoken_and_kept_apart(client: FlaskClient, engine: FakeEngine) -> None:
    def level(**body: Any) -> float:
        data = speak(client, response_format="pcm", **body).data
        return float(np.frombuffer(data, "<i2").mean())

    for _ in range(2):
        assert [level(), level(volume=0.5), level(volume=2), level(volume=0)] == [1000, 500, 2000, 0]
        assert level(volume=1) == level(pitch=1, speed=1.0) == 1000
    assert len(engine.said) == 4 * 2  # twice two sentences at each volume, and nothing for what is the default
    speak(client, pitch=1.5)
    assert len(engine.said) == 5 * 2


def test_fresh_speech_has_the_rate_too(client: FlaskClient) -> None:
    body = {"input": TEXT, "response_format": "pcm", "sample_rate": 16_000}
    response = client.post(URL, json=body, headers={"Cache-Control": "no-store"})
    assert len(response.data) == 2000


def test_a_running_stream_is_joined_only_by_the_same_rate(engine: FakeEngine) -> None:
    server = SpeechService(engine, threads=1, queue_seconds=10, cache=AudioCache(1 << 20), metrics=Metrics())
    server.load()
    answers = [
        server.speak(Utterance("你好"), output_format=at_rate(FORMATS["pcm"], rate), timeout=20, whole=True)
        for rate in (None, 16_000, 48_000)
    ]
    assert [len(each.data or b"") // BYTES_PER_SAMPLE for each in answers] == [200, 400, 1200]


@pytest.mark.parametrize("pitch,factor", [(0.5, 0.5), (1.0, 1.0), (2.0, 2.0)])
def test_work_follows_the_pitch(pitch: float, factor: float) -> None:
    """A voice is made higher by more of its sound, played faster."""
    plain, changed = (
        Job([Sentence("好" * 40, 40, 0.0, Delivery("one", pitch=each))], deadline=0.0).work for each in (1.0, pitch)
    )
    assert changed == [plain[0] * factor]


def test_the_document_has_the_fields(client: FlaskClient) -> None:
    document = client.get("/openapi.json").json or {}
    for name in ("SpeechRequest", "PlainRequest"):
        fields = document["components"]["schemas"][name]["properties"]
        rates = next(each for each in fields["sample_rate"]["anyOf"] if each["type"] == "integer")
        assert rates["enum"] == [8000, 16_000, 22_050, 24_000, 44_100, 48_000]
        assert all(fields[each]["description"] for each in ("sample_rate", "pitch", "volume"))
    kinds = document["paths"][URL]["post"]["responses"]["200"]["content"]
    assert {"audio/PCMA", "audio/PCMU", "audio/G722", "audio/wav"} <= set(kinds)
