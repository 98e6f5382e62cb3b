"""Text in and audio out over a WebSocket, with a real client and the real server process."""

import contextlib
import io
import json
import signal
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import av
import numpy as np
import numpy.typing as npt
import pytest
import requests
import soundfile
import websocket
from G722 import G722

from .conftest import STOP_SECONDS, Server, wait_until

PATH = "/v1/audio/speech/stream"
RATE = 24_000
FIRST, SECOND = "今天天气很好，", "我们出去走走吧。"
LONG = "这是一段很长的文字，用来看看服务器会不会一直合成下去。"


@dataclass
class Client:
    """A connection, and what has come."""

    socket: websocket.WebSocket
    events: list[dict[str, Any]] = field(default_factory=list)
    audio: bytes = b""

    def run(self, task_id: str = "task-1", **parameters: Any) -> None:
        self.act("run-task", task_id, {"parameters": {"format": "pcm", **parameters}, "input": {}})

    def say(self, text: str, task_id: str = "task-1") -> None:
        self.act("continue-task", task_id, {"input": {"text": text}})

    def finish(self, task_id: str = "task-1") -> None:
        self.act("finish-task", task_id, {"input": {}})

    def cancel(self, task_id: str = "task-1") -> None:
        self.act("finish-task", task_id, {"input": {"directive": "cancel"}})

    def act(self, action: str, task_id: str, payload: dict[str, Any]) -> None:
        self.socket.send(json.dumps({"header": {"action": action, "task_id": task_id}, "payload": payload}))

    def receive(self) -> dict[str, Any] | None:
        """The next event, or None for audio."""
        data = self.socket.recv()
        if isinstance(data, bytes):
            self.audio += data
            return None
        event: dict[str, Any] = json.loads(data)
        self.events.append(event)
        return event

    def until(self, name: str) -> dict[str, Any]:
        """Receive up to the next event of this name: an event, or the type of a result."""
        while True:
            event = self.receive()
            if event and name in (event["header"]["event"], event["payload"].get("output", {}).get("type")):
                return event

    def closed(self) -> int:
        """Receive up to the close, and return its code."""
        while True:
            opcode, frame = self.socket.recv_data()
            if opcode == websocket.ABNF.OPCODE_CLOSE:
                return int.from_bytes(frame[:2], "big")


@contextlib.contextmanager
def connected(server: Server, **options: Any) -> Iterator[Client]:
    url = server.url.replace("http", "ws") + PATH
    connection = websocket.create_connection(url, timeout=60, **options)
    try:
        yield Client(connection)
    finally:
        connection.shutdown()  # type: ignore[no-untyped-call] # in websocket-client


@pytest.fixture
def client(server: Server) -> Iterator[Client]:
    with connected(server) as made:
        yield made


def metric(server: Server, name: str) -> float:
    lines = server.get("/metrics").text.splitlines()
    return next((float(line.split()[-1]) for line in lines if line.startswith(name + " ")), 0.0)


def test_a_task_sounds_like_its_sentences(server: Server, client: Client) -> None:
    client.run()
    client.until("task-started")
    for character in FIRST + SECOND + "再见":
        client.say(character)
    client.finish()
    finished = client.until("task-finished")
    begins = [each for each in client.events if each["payload"].get("output", {}).get("type") == "sentence-begin"]
    assert [each["payload"]["output"]["original_text"] for each in begins] == [FIRST + SECOND, "再见"]
    assert finished["payload"]["usage"] == {"characters": 17}
    spoken = [server.speak(text, response_format="pcm").content for text in (FIRST + SECOND, "再见")]
    assert client.audio == spoken[0] + bytes(2 * round(0.3 * RATE)) + spoken[1]


def test_a_sentence_is_spoken_before_the_next_one_is_written(client: Client) -> None:
    client.run()
    client.say(FIRST + SECOND + "然后")
    end = client.until("sentence-end")["payload"]["output"]["sentence"]
    assert (end["index"], end["begin_index"], end["end_index"]) == (0, 0, 15)
    assert (end["end_time"] - end["begin_time"]) / 1000 == pytest.approx(len(client.audio) / 2 / RATE, abs=0.31)
    client.say("回家。")
    assert client.until("sentence-begin")["payload"]["output"]["original_text"] == "然后回家。"


def test_an_unfinished_sentence_is_spoken_when_the_text_pauses(client: Client) -> None:
    client.run()
    client.say("我想一想，价格是12")
    said = [client.until("sentence-begin")["payload"]["output"]["original_text"] for _ in range(3)]
    assert said == ["我想一想，", "价格是", "12"]


def test_a_flush_speaks_at_once_what_is_there(client: Client) -> None:
    client.run()
    client.say("我想一想，价格是12")
    client.act("continue-task", "task-1", {"input": {"flush": True}})
    assert client.until("sentence-begin")["payload"]["output"]["original_text"] == "我想一想，价格是12"


@pytest.mark.parametrize("name", ["mp3", "opus", "aac", "flac", "wav"])
def test_the_audio_of_a_task_is_one_stream(client: Client, name: str) -> None:
    client.run(format=name)
    client.say("你好。再见。")
    client.finish()
    client.until("task-finished")
    end = client.events[-2]["payload"]["output"]["sentence"]["end_time"] / 1000
    rate, samples = decoded(name, client.audio)
    assert len(samples) / rate == pytest.approx(end, abs=0.06)
    assert np.sqrt(np.mean(samples**2)) > 0.01


RAW = {"pcm": "PCM_16", "pcm_alaw": "ALAW", "pcm_mulaw": "ULAW"}


@pytest.mark.parametrize(
    "name,asked,rate",
    [
        ("pcm_alaw", None, 8000),
        ("pcm_mulaw", 16_000, 16_000),
        ("pcm", 8000, 8000),
        ("wav", 16_000, 16_000),
        ("wav_alaw", None, 8000),
        ("flac", 48_000, 48_000),
        ("g722", None, 16_000),
    ],
)
def test_a_telephone_gets_its_format_and_rate(
    server: Server, client: Client, name: str, asked: int | None, rate: int
) -> None:
    client.run(format=name, sample_rate=asked)
    assert client.until("task-started")["payload"]["output"] == {"format": name, "sample_rate": rate}
    client.say("请稍等。司机已经出发。")
    client.finish()
    client.until("task-finished")
    if name in RAW:
        raw = {"samplerate": rate, "channels": 1, "subtype": RAW[name], "format": "RAW"}
        heard, found = soundfile.read(io.BytesIO(client.audio), **raw)
    elif name == "g722":
        heard, found = np.array(G722(16_000, 64_000).decode(client.audio)) / 32768, rate
    else:
        found, heard = decoded(name, client.audio)
    assert found == rate
    times = [each["payload"]["output"]["sentence"] for each in client.events[1:-1]]
    assert len(heard) / rate == pytest.approx(times[-1]["end_time"] / 1000, abs=0.002)
    # Both sentences are where the events say.
    bounds = [(times[0]["begin_time"], times[1]["end_time"]), (times[2]["begin_time"], times[3]["end_time"])]
    for (begin, end), text in zip(bounds, ("请稍等。", "司机已经出发。"), strict=True):
        alone = np.frombuffer(server.speak(text, response_format="pcm").content, "<i2") / 32768
        part = heard[begin * rate // 1000 : end * rate // 1000]
        assert len(part) / rate == pytest.approx(len(alone) / RATE, abs=0.002)
        assert np.sqrt(np.mean(part**2)) == pytest.approx(np.sqrt(np.mean(alone**2)), rel=0.1)


def test_volume_and_pitch_are_those_of_http(server: Server, client: Client) -> None:
    for volume, factor in ((100, 2.0), (50, 1.0), (25, 0.5), (0, 0.0)):
        client.audio = b""
        client.run(f"task-{volume}", volume=volume, pitch=1.2, rate=0.5)
        client.say("声音大小。", f"task-{volume}")
        client.finish(f"task-{volume}")
        client.until("task-finished")
        plain = server.speak("声音大小。", response_format="pcm", volume=factor, pitch=1.2, speed=0.5)
        assert client.audio == plain.content
        assert client.events[-2]["payload"]["output"]["sentence"]["end_time"] == round(len(client.audio) / 2 / 24)


def decoded(name: str, data: bytes) -> tuple[int, npt.NDArray[np.float64]]:
    """The sample rate and the samples, from -1 to 1."""
    if name not in ("aac", "flac"):
        samples, rate = soundfile.read(io.BytesIO(data))
        return rate, samples
    # libsndfile has no AAC, and does not read FLAC whose header leaves the length open.
    with av.open(io.BytesIO(data), "r") as container:
        frames = list(container.decode(audio=0))
    scale = 32768 if name == "flac" else 1
    return frames[0].sample_rate, np.concatenate([each.to_ndarray()[0] for each in frames]) / scale


def test_barge_in_drops_the_rest_and_says_where_it_stopped(server: Server, client: Client) -> None:
    client.run()
    text = "".join(f"第{number}句，{LONG}" for number in "一二三四五六七八九十")
    client.say(text)
    client.until("sentence-begin")
    while not client.audio:
        client.receive()
    client.cancel()
    finished = client.until("task-finished")
    stopped = finished["payload"]["output"]["stopped"]
    assert stopped["time"] == len(client.audio) // 2 * 1000 // RATE
    place = stopped["sentence"]
    assert text[place["begin_index"] : place["end_index"]].startswith("第" + "一二三四五六七八九十"[place["index"]])
    assert finished["payload"]["usage"]["characters"] < len(text)
    # The connection takes the next task, and the late text of the last one is no mistake.
    client.say("迟到的文字。")
    client.run("task-2")
    client.say("好的。", "task-2")
    client.finish("task-2")
    assert client.until("task-finished")["header"]["task_id"] == "task-2"
    assert metric(server, 'tts_duplex_tasks_total{result="canceled"}') >= 1


def test_a_client_that_does_not_read_holds_up_its_own_speech_only(start: Callable[..., Server]) -> None:
    server = start(TTS_THREADS="1", TTS_CACHE_SIZE_MIB="0")
    options = {"sockopt": [(socket.SOL_SOCKET, socket.SO_RCVBUF, 16 * 1024)]}
    with connected(server, **options) as client:
        client.run()
        client.until("task-started")
        client.say("".join(f"{LONG}{number}。" for number in range(300)))

        def made() -> float:
            return metric(server, "tts_audio_seconds_total")

        wait_until(lambda: made() > 0)
        seen: list[float] = []

        def still() -> bool:
            seen.append(made())
            time.sleep(0.2)  # how far apart the looks are; no figure of the test depends on it
            return len(seen) > 10 and seen[-10] == seen[-1]

        wait_until(still)
        assert made() < 60  # of 1500 seconds
        assert server.speak("其他人照样说话").status_code == 200
        client.cancel()
        stopped = client.until("task-finished")["payload"]["output"]["stopped"]
        assert stopped["time"] == len(client.audio) // 2 * 1000 // RATE


def test_a_client_that_leaves_ends_its_task(server: Server) -> None:
    before = metric(server, 'tts_duplex_tasks_total{result="abandoned"}')
    with connected(server) as client:
        client.run()
        client.say(LONG * 20)
        client.until("sentence-begin")
    wait_until(lambda: metric(server, 'tts_duplex_tasks_total{result="abandoned"}') == before + 1)
    wait_until(lambda: metric(server, "tts_duplex_connections") == 0)


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
    client.run()
    emoji = json.loads('["\\ud83d", "\\ude00"]')  # what JavaScript makes of a text that it cuts anywhere
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


def test_overload_is_said(start: Callable[..., Server]) -> None:
    server = start(TTS_THREADS="1", TTS_QUEUE_SECONDS="0", TTS_MAX_INPUT_CHARACTERS="5000")
    with connected(server) as client, contextlib.suppress(requests.RequestException):
        crowd = requests.post(
            server.url + "/v1/audio/speech",
            json={"input": LONG * 100, "response_format": "pcm"},
            stream=True,
            timeout=60,
        )
        client.run()
        client.say("你好。")
        failed = client.until("task-failed")["header"]
        assert failed["error_code"] == "overloaded"
        assert failed["attributes"]["retry_after"] >= 1
        crowd.close()


def test_sigterm_finishes_the_task_and_closes_with_1001(start: Callable[..., Server]) -> None:
    server = start(TTS_THREADS="1")
    with connected(server) as idle, connected(server) as busy:
        busy.run()
        busy.until("task-started")
        server.process.send_signal(signal.SIGTERM)
        assert idle.closed() == 1001
        busy.say(LONG * 3)
        busy.finish()
        finished = busy.until("task-finished")
        assert finished["payload"]["usage"]["characters"] == len(LONG) * 3
        assert busy.closed() == 1001
    assert server.process.wait(STOP_SECONDS) == 0


def test_a_task_that_outlasts_the_drain_fails(start: Callable[..., Server]) -> None:
    server = start(TTS_THREADS="1", TTS_REQUEST_TIMEOUT_SECONDS="1")
    with connected(server) as client:
        client.run()
        client.until("task-started")
        server.process.send_signal(signal.SIGTERM)
        failed = client.until("task-failed")["header"]
        assert (failed["error_code"], failed["attributes"]["retry_after"]) == ("server_draining", 1)
        assert client.closed() == 1001
    assert server.process.wait(STOP_SECONDS) == 0


def test_a_task_is_logged_without_its_text(server: Server) -> None:
    with connected(server, header={"X-Request-Id": "call-1"}) as client:
        client.run("logged")
        client.say("秘密的文字。", "logged")
        client.finish("logged")
        client.until("task-finished")
    wait_until(lambda: any('"logged"' in line for line in server.log))
    entry = json.loads(next(line for line in server.log if '"logged"' in line))
    assert (entry["request_id"], entry["result"], entry["characters"]) == ("call-1", "finished", 6)
    assert entry["audio_seconds"] == pytest.approx(len(client.audio) / 2 / RATE, abs=0.001)
    assert not any("秘密" in line for line in server.log)
