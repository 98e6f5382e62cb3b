"""SSML, lexicons and the list of phonemes, as clients see them."""

import time
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.unit.server.api.test_api import error, speak
from tests.unit.server.conftest import FakeEngine
from tts_server.engines import Delivery, Sentence
from tts_server.lexicon import read_lexicon
from tts_server.synthesis.scheduler import Job
from tts_server.synthesis.service import SpeechService

PHONEMES = "/v1/audio/phonemes"


@pytest.fixture
def service(app: Flask) -> SpeechService:
    found: SpeechService = app.extensions["tts_server"].service
    return found


def phonemes(client: FlaskClient, **body: Any) -> TestResponse:
    return client.post(PHONEMES, json={"input": "你好", **body})


def test_ssml_is_spoken(client: FlaskClient, engine: FakeEngine) -> None:
    response = speak(client, input='<speak>你<break time="1s"/><voice name="two">好</voice></speak>')
    assert response.status_code == 200
    assert engine.said == ["你", "好"]


def test_plain_text_is_never_markup(client: FlaskClient, engine: FakeEngine) -> None:
    assert speak(client, input="请说<speak>&<p>").status_code == 200
    assert engine.said == ["请说<speak>&<p>"]


def test_markup_does_not_count_as_text(client: FlaskClient) -> None:
    assert speak(client, input="<speak>" + "<s>好</s>" * 20 + "</speak>").status_code == 200
    found = error(speak(client, input="<speak>" + "<s>好</s>" * 21 + "</speak>"), 400)
    assert (found["code"], found["param"]) == ("input_too_long", "input")
    found = error(speak(client, input="<speak>" + "<s></s>" * 500 + "</speak>"), 400)
    assert "has 3515 characters, but the limit is 1104" in found["message"]


@pytest.mark.parametrize(
    "body,param,code,says",
    [
        ({"input": "<speak>你好<b/></speak>"}, "input", "invalid_ssml", "SSML, line 1, column 10: <b> is not"),
        ({"input": '<speak><voice name="x">你</voice></speak>'}, "input", "unknown_voice", "column 8: Unknown voice"),
        ({"input": '<speak><break time="1s"/></speak>'}, "input", "nothing_to_say", "nothing that can be pronounced"),
        ({"lexicon": {"行长": "hang2 zhang9"}}, "lexicon", "invalid_lexicon", "'行长': 'zhang9' is not a syllable"),
        ({"lexicon": {"行长": "hang2 mang2"}}, "lexicon", "invalid_lexicon", "'行长': the voice has no syllable"),
        ({"lexicon": {"行长": 7}}, "lexicon", "invalid_value", "The entry '行长' is not."),
        ({"lexicon": ["行长"]}, "lexicon", "invalid_value", "'lexicon' must be an object with strings"),
        ({"lexicon": {"\ud800": "x"}}, "lexicon", "invalid_lexicon", "unpaired surrogate"),
        ({"lexicon": {"x": "\ud800"}}, "lexicon", "invalid_lexicon", "unpaired surrogate"),
        (
            {"lexicon": {str(at): "x" for at in range(101)}},
            "lexicon",
            "invalid_value",
            "'lexicon' has more than 100 entries, the limit.",
        ),
    ],
)
@pytest.mark.parametrize("ask", [speak, phonemes])
def test_bad_directions(  # noqa: PLR0917 - a table
    client: FlaskClient, ask: Any, body: dict[str, Any], param: str, code: str, says: str
) -> None:
    found = error(ask(client, **body), 400)
    assert (found["param"], found["code"]) == (param, code)
    assert says in found["message"]


def test_plain_requests_take_ssml_too(client: FlaskClient, engine: FakeEngine) -> None:
    response = client.get("/api/tts", query_string={"text": "<speak><s>你</s><s>好</s></speak>", "format": "wav"})
    assert response.status_code == 200
    assert engine.said == ["你", "好"]
    assert error(client.get("/api/tts", query_string={"text": "<speak>"}), 400)["param"] == "text"


def test_the_lexicon_of_a_request(client: FlaskClient, engine: FakeEngine) -> None:
    lexicon = {"行长": "hang2 zhang3", "SaaS": "萨斯"}
    assert speak(client, input="用SaaS。", lexicon=lexicon).status_code == 200
    assert engine.said == ["用", "萨斯"]


def test_audio_of_another_reading_is_other_audio(client: FlaskClient) -> None:
    assert speak(client, input="行", lexicon={"行": "hang2"}).headers["X-Cache"] == "miss"
    assert speak(client, input="行", lexicon={"行": "zhang2"}).headers["X-Cache"] == "miss"
    assert speak(client, input="行", lexicon={"行": "hang2"}).headers["X-Cache"] == "hit"
    assert speak(client, input="行").headers["X-Cache"] == "miss"
    assert speak(client, input="行", lexicon={"长": "zhang3"}).headers["X-Cache"] == "hit"


def test_a_new_lexicon_of_the_service_takes_effect_at_once(
    client: FlaskClient, service: SpeechService, engine: FakeEngine
) -> None:
    """However warm the caches are: that of audio, and that of responses in front of it."""

    def use(**entries: str) -> None:
        known = engine.syllables
        service.lexicon = read_lexicon(entries, origin="service_lexicon", syllables=known, max_entries=9)

    def cached() -> str:
        return speak(client, input="行").headers["X-Cache"]

    assert [cached() for _ in range(3)] == ["miss", "hit", "hit"]
    use(行="hang2")
    assert [cached() for _ in range(3)] == ["miss", "hit", "hit"]
    use(行="走")
    assert [cached() for _ in range(3)] == ["miss", "hit", "hit"]
    assert engine.said == ["行", "行", "走"]
    use()
    assert [cached() for _ in range(3)] == ["hit", "hit", "hit"]
    assert engine.said == ["行", "行", "走"]


def test_the_request_wins_over_the_service(client: FlaskClient, service: SpeechService, engine: FakeEngine) -> None:
    service.lexicon = read_lexicon({"行": "走", "长": "短"}, origin="service_lexicon", syllables=(), max_entries=9)
    speak(client, input="行。长。", lexicon={"行": "跑"})
    assert engine.said == ["跑", "短"]


def test_phonemes(client: FlaskClient, engine: FakeEngine) -> None:
    response = phonemes(client, input="<speak>我<sub alias='好'>x</sub></speak>", speed=2)
    assert response.status_code == 200
    assert response.json is not None
    assert (response.json["engine"], response.json["revision"]) == ("fake", "1")
    first, second = response.json["sentences"]
    assert {name: first[name] for name in ("text", "voice", "emotion", "speed", "pitch", "volume", "pause")} == {
        "text": "我",
        "voice": "one",
        "emotion": "neutral",
        "speed": 2.0,
        "pitch": 1.0,
        "volume": 1.0,
        "pause": 0.0,
    }
    assert first["clauses"] == [
        {
            "text": "我",
            "syllables": [{"text": "我", "pinyin": "a1", "phonemes": ["a"], "source": "text", "reading": "fake"}],
        }
    ]
    assert second["text"] == "好"
    assert "好" in response.text  # and not \\u597d
    assert engine.said == []


def test_phonemes_have_the_bounds_of_speech(client: FlaskClient) -> None:
    assert error(phonemes(client, input="好" * 21), 400)["code"] == "input_too_long"
    assert error(phonemes(client, input=""), 400)["code"] == "empty_input"
    assert error(phonemes(client, voice="x"), 400)["code"] == "unknown_voice"
    assert error(phonemes(client, emotion="x"), 400)["code"] == "unknown_emotion"
    assert error(phonemes(client, model="x"), 404)["code"] == "model_not_found"
    assert error(client.post(PHONEMES, data="x"), 415)["code"] == "unsupported_media_type"


def test_phonemes_need_the_model(app: Flask) -> None:
    assert error(phonemes(app.test_client()), 503)["code"] == "model_loading"


def test_silence_costs_nothing_and_teaches_nothing(client: FlaskClient, service: SpeechService) -> None:
    client.get("/api/tts", query_string={"text": "你好", "format": "wav"})
    scheduler = service._scheduler
    assert scheduler
    # A server that takes so long for a syllable would seem faster, if silence counted as one.
    scheduler.cost.seconds_per_syllable = 100.0
    job = Job([Sentence("", 0, 1.0, Delivery("one"))], deadline=float("inf"))
    scheduler.submit(job)
    assert b"".join(job.stream.read(time.monotonic() + 20)) == bytes(2 * service.engine.sample_rate)
    assert scheduler.cost.seconds_per_syllable == 100.0
    assert scheduler.admission.backlog == 0


def test_the_readings_of_a_request_with_pitch_volume_and_a_telephone_format(client: FlaskClient) -> None:
    body = {"input": "你好", "pitch": 1.5, "volume": 0.5, "response_format": "pcm_alaw", "sample_rate": 16_000}
    for fields in (body, {"input": '<speak><prosody pitch="+50%" volume="-50%">你好</prosody></speak>'}):
        response = client.post("/v1/audio/phonemes", json=fields)
        [sentence] = (response.json or {})["sentences"]
        assert (sentence["speed"], sentence["pitch"], sentence["volume"]) == (1.0, 1.5, 0.5)
    refused = client.post("/v1/audio/phonemes", json={**body, "pitch": 3})
    assert (refused.status_code, (refused.json or {})["error"]["param"]) == (400, "pitch")
