"""OpenAI's own Python client, unmodified, against the real server."""

import base64
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import openai
import pytest
from openai import AsyncOpenAI, OpenAI

from tests.integration.server.conftest import ROOT, Server

from .conftest import KEY

MODEL = "fastspeech2"
VOICE = "baker"
SHORT = "您好，世界。"
LONG = "今天天气不错，我们去公园散步吧。" * 4
SECONDS = 60.0
FormatName = Literal["mp3", "opus", "aac", "flac", "wav", "pcm"]


@pytest.fixture(scope="module")
def client(keyed: Server) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{keyed.url}/v1", api_key=KEY, timeout=SECONDS) as made:
        yield made


def body(server: Server, **fields: object) -> bytes:
    """The audio that the same request gets without the client."""
    request = {"model": MODEL, "voice": VOICE, **fields}
    response = server.post(request, headers={"Authorization": f"Bearer {KEY}"})
    assert response.status_code == 200, response.text
    return response.content


def test_it_lists_and_retrieves_the_model(client: OpenAI) -> None:
    (model,) = client.models.list()
    assert (model.id, model.object) == (MODEL, "model")
    assert client.models.retrieve(MODEL) == model


@pytest.mark.parametrize(
    "name, content_type",
    [
        ("mp3", "audio/mpeg"),
        ("opus", "audio/ogg"),
        ("aac", "audio/aac"),
        ("flac", "audio/flac"),
        ("wav", "audio/wav"),
        ("pcm", "audio/pcm;rate=24000"),
    ],
)
def test_it_speaks_in_each_of_its_formats(client: OpenAI, keyed: Server, name: FormatName, content_type: str) -> None:
    speech = client.audio.speech.create(model=MODEL, voice=VOICE, input=SHORT, response_format=name)
    assert speech.response.headers["Content-Type"] == content_type
    assert len(speech.content) > 1000
    assert speech.content == body(keyed, input=SHORT, response_format=name)


def test_mp3_is_its_default_too(client: OpenAI, keyed: Server) -> None:
    speech = client.audio.speech.create(model=MODEL, voice=VOICE, input=SHORT)
    assert speech.response.headers["Content-Type"] == "audio/mpeg"
    assert speech.content == body(keyed, input=SHORT, response_format="mp3")


def test_speed_and_a_voice_as_an_object(client: OpenAI, keyed: Server) -> None:
    speech = client.audio.speech.create(
        model=MODEL, voice={"id": VOICE}, input=SHORT, speed=2, instructions="Cheerful.", response_format="pcm"
    )
    assert speech.content == body(keyed, input=SHORT, speed=2, response_format="pcm")
    assert len(speech.content) < len(body(keyed, input=SHORT, response_format="pcm")) * 0.7


def test_it_sends_the_servers_own_fields(client: OpenAI, keyed: Server) -> None:
    own = {"sample_rate": 8000, "lexicon": {"世界": "shi4 jie4"}}
    speech = client.audio.speech.create(model=MODEL, voice=VOICE, input=SHORT, response_format="pcm", extra_body=own)
    assert speech.response.headers["Content-Type"] == "audio/pcm;rate=8000"
    assert speech.content == body(keyed, input=SHORT, response_format="pcm", **own)


def test_it_streams_a_long_text(client: OpenAI, keyed: Server, tmp_path: Path) -> None:
    fresh = {"Cache-Control": "no-cache"}
    with client.audio.speech.with_streaming_response.create(
        model=MODEL, voice=VOICE, input=LONG, response_format="pcm", extra_headers=fresh
    ) as response:
        assert "Content-Length" not in response.headers
        chunks = list(response.iter_bytes())
    assert len(chunks) > 1
    assert b"".join(chunks) == body(keyed, input=LONG, response_format="pcm")
    path = tmp_path / "long.mp3"
    with client.audio.speech.with_streaming_response.create(model=MODEL, voice=VOICE, input=LONG) as response:
        response.stream_to_file(path)
    assert path.stat().st_size > 10_000


def test_it_reads_server_sent_events(client: OpenAI, keyed: Server) -> None:
    with client.audio.speech.with_streaming_response.create(
        model=MODEL, voice=VOICE, input=LONG, response_format="pcm", stream_format="sse"
    ) as response:
        events = [json.loads(line.removeprefix("data: ")) for line in response.iter_lines() if line]
    *deltas, done = events
    assert {event["type"] for event in deltas} == {"speech.audio.delta"}
    assert done["type"] == "speech.audio.done"
    assert done["usage"]["input_tokens"] == len(LONG)
    sound = b"".join(base64.b64decode(event["audio"]) for event in deltas)
    assert sound == body(keyed, input=LONG, response_format="pcm")


async def test_the_asynchronous_client(keyed: Server) -> None:
    async with AsyncOpenAI(base_url=f"{keyed.url}/v1", api_key=KEY, timeout=SECONDS) as client:
        assert [model.id async for model in client.models.list()] == [MODEL]
        async with client.audio.speech.with_streaming_response.create(
            model=MODEL, voice=VOICE, input=LONG, response_format="pcm"
        ) as response:
            sound = b"".join([chunk async for chunk in response.iter_bytes()])
    assert sound == body(keyed, input=LONG, response_format="pcm")


@pytest.mark.parametrize(
    "change, error, code, param",
    [
        ({"model": "tts-1"}, openai.NotFoundError, "model_not_found", "model"),
        ({"voice": "alloy"}, openai.BadRequestError, "unknown_voice", "voice"),
        ({"input": " "}, openai.BadRequestError, "empty_input", "input"),
        ({"speed": 9}, openai.BadRequestError, "invalid_value", "speed"),
        ({"response_format": "ogg"}, openai.BadRequestError, "invalid_value", "response_format"),
    ],
)
def test_it_raises_the_error_that_fits(
    client: OpenAI, change: dict[str, object], error: type[openai.APIStatusError], code: str, param: str
) -> None:
    fields = {"model": MODEL, "voice": VOICE, "input": SHORT, **change}
    with pytest.raises(error) as caught:
        client.audio.speech.create(**fields)  # type: ignore[arg-type] # wrong values too
    assert (caught.value.code, caught.value.param) == (code, param)
    assert caught.value.type == "invalid_request_error"


def test_a_wrong_key(client: OpenAI) -> None:
    with pytest.raises(openai.AuthenticationError) as caught:
        client.with_options(api_key="sk-wrong").audio.speech.create(model=MODEL, voice=VOICE, input=SHORT)
    assert caught.value.code == "invalid_api_key"


def test_it_waits_while_the_model_loads(start: Callable[..., Server]) -> None:
    server = start(ready=False)
    # Nobody listens at first; then 503 with Retry-After. The client retries both.
    with OpenAI(base_url=f"{server.url}/v1", api_key="unused", timeout=SECONDS, max_retries=100) as client:
        speech = client.audio.speech.create(model=MODEL, voice=VOICE, input=SHORT, response_format="pcm")
    assert len(speech.content) > 1000


def test_the_example_of_the_quick_start(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (ROOT / "docs/quickstart.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```python\n(from openai import .*?)```", page, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    exec(example.replace("http://localhost:7860", server.url), {})  # noqa: S102 - what it tells users to run
    assert (tmp_path / "hello.wav").read_bytes() == server.speak(SHORT).content
