"""Messages of clients, valid and not; events of the server."""

import json
from typing import Any

import pytest

from tts_server.duplex.messages import InvalidMessageError, Parameters, TaskError, event, parse_message, task_failed
from tts_server.engines import Delivery

DASHSCOPE = {
    "header": {"action": "run-task", "task_id": "2bf83b9a-baeb-4fda-8d9a-1f6d0e2a7c11", "streaming": "duplex"},
    "payload": {
        "task_group": "audio",
        "task": "tts",
        "function": "SpeechSynthesizer",
        "model": "fastspeech2",
        "parameters": {
            "text_type": "PlainText",
            "voice": "baker",
            "format": "pcm",
            "sample_rate": 24000,
            "volume": 50,
            "rate": 1,
            "pitch": 1,
            "enable_ssml": False,
        },
        "input": {},
    },
}


def with_(header: dict[str, Any] | None = None, payload: Any = None) -> str:
    head = {"action": "run-task", "task_id": "a", **(header or {})}
    return json.dumps({"header": head} | ({} if payload is None else {"payload": payload}))


def test_a_message_as_dashscope_documents_it() -> None:
    message = parse_message(json.dumps(DASHSCOPE))
    how = message.payload.parameters
    assert (how.voice, how.format, how.rate, how.emotion) == ("baker", "pcm", 1.0, "neutral")
    assert message.payload.input.text == ""


def test_the_audio_and_how_it_is_spoken() -> None:
    def parameters(**given: Any) -> Parameters:
        return parse_message(with_(payload={"parameters": given})).payload.parameters

    how = parameters(format="pcm_alaw", voice="baker", rate=0.5, pitch=1.5, volume=75, emotion="happy")
    assert how.delivery == Delivery("baker", "happy", 0.5, 1.5, 1.5)
    assert (how.output_format.name, how.output_format.rate(24_000)) == ("pcm_alaw", 8000)
    assert parameters().delivery == Delivery()
    assert [parameters(volume=each).delivery.volume for each in (0, 50, 100)] == [0.0, 1.0, 2.0]
    assert parameters(format="wav", sample_rate=22_050).output_format.rate(24_000) == 22_050
    assert parameters(sample_rate=None).output_format.rate(24_000) == 24_000


def test_everything_but_the_header_may_be_left_out() -> None:
    assert parse_message(with_()).payload.parameters.format == "mp3"


def test_the_default_format_of_dashscopes_sdk() -> None:
    message = parse_message(with_(payload={"parameters": {"format": "Default", "sample_rate": 0}}))
    assert message.payload.parameters.format == "mp3"


@pytest.mark.parametrize(
    "text,code,task_id,says",
    [
        ("", "invalid_json", "", "not valid JSON"),
        ("[" * 60_000, "invalid_json", "", "not valid JSON"),
        ("1", "invalid_json", "", "must be a JSON object"),
        ("{}", "invalid_value", "", "header: "),
        (with_({"action": "stop"}), "invalid_value", "", "header.action: "),
        (with_({"task_id": ""}), "invalid_value", "", "header.task_id: "),
        (with_({"task_id": "x" * 65}), "invalid_value", "", "header.task_id: "),
        (with_({"task_id": 1}), "invalid_value", "", "header.task_id: "),
        (with_(payload=[1]), "invalid_value", "a", "payload: "),
        (with_(payload={"input": {"text": 1}}), "invalid_value", "a", "payload.input.text: "),
        (with_(payload={"parameters": {"rate": "NaN"}}), "invalid_value", "a", "payload.parameters.rate: "),
        (with_(payload={"parameters": {"enable_ssml": 1}}), "invalid_value", "a", "payload.parameters.enable_ssml"),
        (with_(payload={"parameters": {"volume": 101}}), "invalid_value", "a", "payload.parameters.volume: "),
        (with_(payload={"parameters": {"volume": -1}}), "invalid_value", "a", "payload.parameters.volume: "),
        (with_(payload={"parameters": {"pitch": 0.4}}), "invalid_value", "a", "payload.parameters.pitch: "),
        (
            with_(payload={"parameters": {"sample_rate": "8000"}}),
            "invalid_value",
            "a",
            "payload.parameters.sample_rate",
        ),
        (
            with_(payload={"parameters": {"sample_rate": 8000, "format": "g722"}}),
            "invalid_value",
            "a",
            "payload.parameters.sample_rate: The sample rate of g722 is 16000 Hz, not 8000. These",
        ),
        (
            with_(payload={"parameters": {"sample_rate": 7, "format": "midi"}}),
            "invalid_value",
            "a",
            "payload.parameters.format: ",
        ),
    ],
)
def test_invalid_messages(text: str, code: str, task_id: str, says: str) -> None:
    with pytest.raises(InvalidMessageError) as caught:
        parse_message(text)
    assert (caught.value.code, caught.value.task_id) == (code, task_id)
    assert says in str(caught.value)
    assert len(str(caught.value)) <= 300


def test_events() -> None:
    assert json.loads(event("task-started", "a")) == {
        "header": {"task_id": "a", "event": "task-started", "attributes": {}},
        "payload": {},
    }
    assert json.loads(task_failed("a", TaskError("overloaded", "Busy.", retry_after=2)))["header"] == {
        "task_id": "a",
        "event": "task-failed",
        "attributes": {"retry_after": 2},
        "error_code": "overloaded",
        "error_message": "Busy.",
    }
