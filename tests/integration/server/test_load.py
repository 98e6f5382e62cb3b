"""While the CPUs are busy, and beyond what they can do."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import count

import pytest
import requests

from .conftest import Server, wait_until

LONG = "这是一段很长的文字，" * 10


def metric(server: Server, name: str) -> float:
    for line in server.get("/metrics").text.splitlines():
        if line.startswith(name + " "):
            return float(line.rpartition(" ")[2])
    raise AssertionError(name)


def test_probes_answer_at_once_under_load(start: Callable[..., Server]) -> None:
    server = start(TTS_QUEUE_SECONDS="60", TTS_THREADS="2", TTS_REQUEST_TIMEOUT_SECONDS="100")
    with ThreadPoolExecutor(12) as pool:
        work = [pool.submit(server.speak, LONG + str(number)) for number in range(12)]
        wait_until(lambda: metric(server, "tts_queue_depth") > 0)
        probes = 0
        while not all(each.done() for each in work):
            for path in ("/health", "/ready", "/metrics"):
                assert server.get(path).status_code == 200
                probes += 1
        assert [each.result().status_code for each in work] == [200] * 12
    assert probes > 20, "an event loop that waits for the CPU answers between two sentences only"


def test_overload_is_refused_with_a_time_to_come_back(start: Callable[..., Server]) -> None:
    server = start(TTS_QUEUE_SECONDS="0.5", TTS_THREADS="1")
    number = count()
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda _: server.post({"input": LONG + str(next(number))}), range(24)))
    statuses = {answer.status_code for answer in answers}
    assert statuses == {200, 503}
    for answer in answers:
        if answer.status_code == 503:
            assert answer.json()["error"]["code"] == "overloaded"
            assert int(answer.headers["Retry-After"]) >= 1
    # Nothing of it is left behind.
    assert metric(server, "tts_queue_depth") == 0
    assert metric(server, "tts_queue_seconds") < 0.001
    assert server.speak("好了").status_code == 200


def test_a_deadline_is_kept(start_failing: Callable[..., Server]) -> None:
    server = start_failing(TTS_REQUEST_TIMEOUT_SECONDS="5", TTS_THREADS="1", TTS_QUEUE_SECONDS="60")
    text = "快。" + "很慢很慢。" * 8  # begins at once, and takes eight seconds on any machine
    with pytest.raises(requests.exceptions.ChunkedEncodingError):  # what has begun is cut, and not like a good end
        server.post({"input": text})
    wait_until(lambda: any("stream cut off" in line and "deadline_exceeded" in line for line in server.log))
    assert not any("Traceback" in line for line in server.log)
    answer = server.post({"input": text, "response_format": "wav"})
    assert answer.status_code == 503
    assert answer.json()["error"]["code"] == "deadline_exceeded"
    wait_until(lambda: metric(server, "tts_queue_seconds") < 0.001)
    assert server.speak("好").status_code == 200
