"""What a WebSocket refuses: messages, tasks, keys, origins, and more than it can do."""

import contextlib
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import websocket

from .conftest import Server, wait_until
from .duplex import LONG, PATH, Client, connected, metric


@pytest.fixture
def client(server: Server) -> Iterator[Client]:
    with connected(server) as made:
        yield made


@pytest.mark.parametrize(
    "message,code",
    [
        ("{", "invalid_json"),
        ("[" * 30_000, "invalid_json"),
        ("[]", "invalid_json"),
        ('{"header": {"action": "speak", "task_id": "a"}}', "invalid_value"),
        ('{"header": {"action": "run-task", "task_id": "a b"}}', "invalid_value"),
    ],
)
def test_what_is_no_message_closes_the_connection(client: Client, message: str, code: str) -> None:
    client.socket.send(message)
    assert client.until("task-failed")["header"]["error_code"] == code
    assert client.closed() == 1008


@pytest.mark.parametrize(
    "parameters,code,says",
    [
        ({"voice": "alloy"}, "unknown_voice", "baker"),
        ({"emotion": "bored"}, "unknown_emotion", "happy"),
        ({"format": "midi"}, "invalid_value", "payload.parameters.format"),
        ({"rate": 9}, "invalid_value", "payload.parameters.rate"),
        ({"sample_rate": 11_025}, "invalid_value", "payload.parameters.sample_rate: The sample rate of pcm is 8000, "),
        ({"sample_rate": 8000, "format": "opus"}, "invalid_value", "The sample rate of opus is 48000 Hz, not 8000."),
        ({"volume": 101}, "invalid_value", "payload.parameters.volume"),
        ({"volume": 1.5}, "invalid_value", "payload.parameters.volume"),
        ({"pitch": 2.1}, "invalid_value", "payload.parameters.pitch"),
    ],
)
def test_a_task_that_cannot_be_done_fails_alone(
    client: Client, parameters: dict[str, Any], code: str, says: str
) -> None:
    client.run(**parameters)
    failed = client.until("task-failed")["header"]
    assert (failed["task_id"], failed["error_code"]) == ("task-1", code)
    assert says in failed["error_message"]
    client.run("task-2")
    client.until("task-started")


def test_markup_is_refused_where_it_is_announced(client: Client) -> None:
    client.run(enable_ssml=True)
    client.say("<speak>你好。</speak>")
    assert "SSML" in client.until("task-failed")["header"]["error_message"]
    client.run("task-2", enable_ssml=True)
    client.say("你好。", "task-2")
    client.until("sentence-end")


def test_one_task_at_a_time(client: Client) -> None:
    client.run()
    client.run("task-2")
    assert client.until("task-failed")["header"]["error_code"] == "task_in_progress"
    client.say("你好", "task-3")
    assert client.until("task-failed")["header"]["error_code"] == "task_not_found"
    client.finish()
    assert client.until("task-finished")["header"]["task_id"] == "task-1"


def test_no_text_after_the_end(client: Client) -> None:
    client.run()
    client.say(LONG * 10)
    client.finish()
    client.say("还有")
    assert client.until("task-failed")["header"]["error_code"] == "task_finishing"


def test_text_is_bounded(client: Client) -> None:
    client.run()
    for _ in range(3):
        client.say("好" * 10_000)
    assert client.until("task-failed")["header"]["error_code"] == "input_too_long"


def test_half_a_character_waits_for_its_other_half(client: Client) -> None:
    emoji = json.loads('["\\ud83d", "\\ude00"]')  # what JavaScript makes of a text that it cuts anywhere
    with client.at_once():
        client.run()
        client.say("你好" + emoji[0])
        client.say(emoji[1] + "。")
    assert client.until("sentence-begin")["payload"]["output"]["original_text"] == "你好😀。"
    client.say(emoji[1])
    assert client.until("task-failed")["header"]["error_code"] == "invalid_unicode"


def test_a_message_that_is_too_large(client: Client) -> None:
    client.run()
    with contextlib.suppress(OSError):
        client.say("x" * 70_000)
    assert client.closed() == 1009


def test_binary_messages_are_refused(client: Client) -> None:
    client.socket.send_binary(b"x")
    assert client.closed() == 1003


def test_pings_are_answered(client: Client) -> None:
    client.socket.ping("there?")
    assert client.socket.recv_data_frame(control_frame=True)[1].data == b"there?"


def test_a_close_is_answered(client: Client) -> None:
    client.socket.send_close(1000)
    assert client.closed() == 1000


def test_a_plain_request_learns_what_to_send(server: Server) -> None:
    answer = server.get(PATH)
    assert (answer.status_code, answer.headers["Upgrade"]) == (426, "websocket")
    assert answer.json()["error"]["code"] == "upgrade_required"


def test_keys_and_origins(start: Callable[..., Server]) -> None:
    server = start(TTS_API_KEYS="secret", TTS_CORS_ORIGINS="https://bot.example", TTS_THREADS="1")
    own = server.url
    refused: list[tuple[dict[str, Any], int]] = [
        ({}, 401),
        ({"header": {"Authorization": "Bearer wrong"}}, 401),
        ({"subprotocols": ["tts", "openai-insecure-api-key.wrong"]}, 401),
        ({"header": {"Authorization": "Bearer secret"}, "origin": "https://evil.example"}, 403),
    ]
    for options, status in refused:
        with pytest.raises(websocket.WebSocketBadStatusException) as caught:
            connected(server, suppress_origin="origin" not in options, **options).__enter__()
        assert caught.value.status_code == status
    taken: list[dict[str, Any]] = [
        {"header": {"Authorization": "Bearer secret"}, "suppress_origin": True},
        {"header": {"Authorization": "Bearer secret"}, "origin": own},
        {"subprotocols": ["tts", "openai-insecure-api-key.secret"], "origin": "https://bot.example"},
    ]
    for options in taken:
        with connected(server, **options) as client:
            client.run()
            client.until("task-started")
            assert client.socket.getsubprotocol() == ("tts" if "subprotocols" in options else None)
    wait_until(lambda: sum('"status": 101' in line for line in server.log) == len(taken))
    assert not any("secret" in line for line in server.log)


def test_overload_is_said(start_failing: Callable[..., Server], gate: Path) -> None:
    server = start_failing(TTS_THREADS="1", TTS_QUEUE_SECONDS="0", TTS_REQUEST_TIMEOUT_SECONDS="100")
    with connected(server) as client, ThreadPoolExecutor(1) as pool:
        crowd = pool.submit(server.post, {"input": "等一等。" + LONG * 10, "response_format": "pcm"})
        wait_until(lambda: metric(server, "tts_queue_depth") > 0)
        client.run()
        client.say("你好。")
        failed = client.until("task-failed")["header"]
        assert failed["error_code"] == "overloaded"
        assert failed["attributes"]["retry_after"] >= 1
        gate.touch()
        assert crowd.result().status_code == 200
