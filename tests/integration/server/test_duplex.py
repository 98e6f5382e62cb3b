"""Text in and audio out over a WebSocket, with a real client and the real server process."""

import io
import json
import signal
import socket
import time
from collections.abc import Callable, Iterator

import av
import numpy as np
import numpy.typing as npt
import pytest
import soundfile
from G722 import G722

from .conftest import STOP_SECONDS, Server, wait_until
from .duplex import FIRST, LONG, RATE, SECOND, Client, connected, metric


@pytest.fixture
def client(server: Server) -> Iterator[Client]:
    with connected(server) as made:
        yield made


def test_a_task_sounds_like_its_sentences(server: Server, client: Client) -> None:
    client.run()
    client.until("task-started")
    with client.at_once():
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
    rest = ""
    while rest in ("", "然后"):  # which is spoken by itself if a pause came after it
        rest += client.until("sentence-begin")["payload"]["output"]["original_text"]
    assert rest == "然后回家。"


def test_an_unfinished_sentence_is_spoken_when_the_text_pauses(client: Client) -> None:
    client.run()
    client.say("我想一想，价格是12")
    said = [client.until("sentence-begin")["payload"]["output"]["original_text"] for _ in range(3)]
    assert said == ["我想一想，", "价格是", "12"]


def test_a_flush_speaks_at_once_what_is_there(client: Client) -> None:
    client.run()
    with client.at_once():
        client.say("我想一想，价格是12")
        client.act("continue-task", "task-1", {"input": {"flush": True}})
    assert client.until("sentence-begin")["payload"]["output"]["original_text"] == "我想一想，价格是12"


@pytest.mark.parametrize("name", ["mp3", "opus", "aac", "flac", "wav"])
def test_the_audio_of_a_task_is_one_stream(client: Client, name: str) -> None:
    client.run(format=name)
    with client.at_once():
        client.say("你好。再见")  # the end makes it a sentence, after which there is no pause
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
    with client.at_once():
        client.say("请稍等。司机已经出发")
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
    for (begin, end), text in zip(bounds, ("请稍等。", "司机已经出发"), strict=True):
        alone = np.frombuffer(server.speak(text, response_format="pcm").content, "<i2") / 32768
        part = heard[begin * rate // 1000 : end * rate // 1000]
        assert len(part) / rate == pytest.approx(len(alone) / RATE, abs=0.002)
        assert np.sqrt(np.mean(part**2)) == pytest.approx(np.sqrt(np.mean(alone**2)), rel=0.1)


def test_volume_and_pitch_are_those_of_http(server: Server, client: Client) -> None:
    for volume, factor in ((100, 2.0), (50, 1.0), (25, 0.5), (0, 0.0)):
        client.audio = b""
        with client.at_once():
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
