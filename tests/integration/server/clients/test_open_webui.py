"""The requests that Open WebUI makes when its text-to-speech engine is `OpenAI` and its URL is that of a service.

Source: https://github.com/open-webui/open-webui/blob/main/backend/open_webui/routers/audio.py
"""

import json
from typing import Any

import aiohttp
import pytest
import requests

from tests.integration.server.conftest import Server

from .conftest import KEY

SECONDS = 30
USER = {
    "X-OpenWebUI-User-Name": "%E7%8E%8B%E8%8A%B3",
    "X-OpenWebUI-User-Id": "0c6f3a52-6d2e-4b1c-9a0e-8a4c5b3d2e1f",
    "X-OpenWebUI-User-Email": "fang@example.com",
    "X-OpenWebUI-User-Role": "user",
}
"""Sent with ENABLE_FORWARD_USER_INFO_HEADERS."""


async def speech(
    server: Server, page: dict[str, Any], *, model: str, key: str = KEY, parameters: dict[str, Any] | None = None
) -> tuple[int, str, bytes]:
    """Send what the page has sent, with the model and the parameters of the settings. Return status, type and body."""
    payload = {**page, "model": model, **(parameters or {})}
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {key}", **USER}
    timeout = aiohttp.ClientTimeout(total=SECONDS)
    async with (
        aiohttp.ClientSession(timeout=timeout, trust_env=True) as session,
        session.post(f"{server.url}/v1/audio/speech", json=payload, headers=headers) as response,
    ):
        return response.status, response.content_type, await response.read()


def listed(server: Server, what: str) -> list[dict[str, Any]]:
    """A list of the settings page, which Open WebUI requests without a key."""
    response = requests.get(f"{server.url}/v1/audio/{what}", timeout=SECONDS)
    response.raise_for_status()
    found: list[dict[str, Any]] = response.json()[what]
    return found


def test_the_settings_offer_the_model_and_its_voices(keyed: Server) -> None:
    assert [(each["id"], each["name"]) for each in listed(keyed, "models")] == [("fastspeech2", "fastspeech2")]
    assert {each["id"]: each["name"] for each in listed(keyed, "voices")} == {"baker": "Baker, female, Mandarin"}


def test_a_connection_to_the_same_url_lists_the_model(keyed: Server) -> None:
    response = requests.get(
        f"{keyed.url}/v1/models", headers={"Authorization": f"Bearer {KEY}", **USER}, timeout=SECONDS
    )
    assert response.status_code == 200
    assert [each["id"] for each in response.json()["data"]] == ["fastspeech2"]


@pytest.mark.parametrize(
    "text",
    [
        "您好，我是您的助手。",
        "这里有一个列表：\n- 苹果\n- 香蕉\n",
        "当然可以！😊 让我们开始吧。",
        "Python 3.12发布了。",
    ],
    ids=["a sentence", "a list", "an emoji", "letters and digits"],
)
async def test_the_choices_of_the_settings_speak(keyed: Server, text: str) -> None:
    model, voice = listed(keyed, "models")[0]["id"], listed(keyed, "voices")[0]["id"]
    status, kind, sound = await speech(keyed, {"input": text, "voice": voice}, model=model)
    assert (status, kind) == (200, "audio/mpeg"), sound  # it keeps the body as a file NAME.mp3
    assert len(sound) > 1000


async def test_the_parameters_of_the_settings_win(keyed: Server) -> None:
    page = {"input": "您好。", "voice": "baker", "model": "as the page has it"}
    _, kind, plain = await speech(keyed, page, model="fastspeech2", parameters={"response_format": "wav"})
    assert kind == "audio/wav"
    parameters = {"response_format": "wav", "speed": 2, "volume": 0.5, "of_another_server": {"deep": [1]}}
    status, kind, fast = await speech(keyed, page, model="fastspeech2", parameters=parameters)
    assert (status, kind) == (200, "audio/wav")
    assert len(fast) < len(plain) * 0.8


@pytest.mark.parametrize(
    "changes, status, says",
    [
        ({"model": "tts-1"}, 404, "This server serves 'fastspeech2'."),
        ({"voice": "alloy"}, 400, "Available voices: baker"),
        ({"input": "👍"}, 400, "nothing that can be pronounced"),
        ({"key": "sk-wrong"}, 401, "API key"),
    ],
    ids=["the default model", "the default voice", "no words", "a wrong key"],
)
async def test_what_it_shows_its_user(keyed: Server, changes: dict[str, str], status: int, says: str) -> None:
    chosen = {"model": "fastspeech2", "voice": "baker", "input": "您好。", "key": KEY, **changes}
    page = {"input": chosen["input"], "voice": chosen["voice"]}
    answered, kind, content = await speech(keyed, page, model=chosen["model"], key=chosen["key"])
    assert (answered, kind) == (status, "application/json")
    assert says in json.loads(content)["error"]["message"]
