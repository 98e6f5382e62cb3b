"""Start, drain and stop."""

import json
import os
import signal
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

import pytest
import requests

from .conftest import FAILING, ROOT, STOP_SECONDS, Server, wait_until

TEXT = "停止之前的请求一个也不能丢，"


def test_health_before_ready(start: Callable[..., Server]) -> None:
    server = start(ready=False)
    wait_until(lambda: server.status("/health") == 200)
    seen = []

    def ready() -> bool:
        seen.append(server.status("/ready"))
        return seen[-1] == 200

    wait_until(ready, 60)
    assert set(seen) <= {503, 200}
    assert server.status("/health") == 200


@pytest.mark.parametrize("imported", [False, True], ids=["while it imports", "while it loads the model"])
def test_sigterm_during_the_start_ends_the_server(
    start_together: Callable[..., list[Server]], *, imported: bool
) -> None:
    slow = {"PYTHONPATH": str(ROOT), "LOAD_SECONDS": "30"}
    [server] = start_together(slow, program=FAILING, ready=False)
    wait_until(lambda: any("Booting worker" in line for line in server.log))
    if imported:
        wait_until(lambda: server.status("/health") == 200)
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(STOP_SECONDS) == 0
    assert not any('"message": "ready"' in line for line in server.log)
    assert not any("SIGKILL" in line or "Traceback" in line for line in server.log)


def test_sigterm_under_load_finishes_what_it_took(start_failing: Callable[..., Server], gate: Path) -> None:
    server = start_failing(TTS_QUEUE_SECONDS="60", TTS_THREADS="2", TTS_REQUEST_TIMEOUT_SECONDS="100")
    with ThreadPoolExecutor(8) as pool:
        work = [pool.submit(server.post, {"input": f"等一等，{TEXT * 3}{number}"}) for number in range(8)]
        wait_until(lambda: 'tts_cache_events_total{event="miss"} 8.0' in server.get("/metrics").text)
        server.process.send_signal(signal.SIGTERM)
        wait_until(lambda: server.status("/health") == 0)
        gate.touch()
        assert [each.result().status_code for each in work] == [200] * 8
    assert server.process.wait(STOP_SECONDS) == 0


def test_drain_then_sigterm_loses_no_request(start: Callable[..., Server]) -> None:
    """As in a pod: clients send for as long as /ready says so, and drain comes before SIGTERM."""
    server = start(TTS_QUEUE_SECONDS="60", TTS_THREADS="2")
    number = count()

    def client(_: int) -> list[int]:
        statuses = []
        with requests.Session() as session:  # keep-alive: the connections that a careless stop would cut
            while session.get(server.url + "/ready", timeout=30).status_code == 200:
                body = {"input": f"{TEXT}{next(number)}"}
                statuses.append(session.post(server.url + "/v1/audio/speech", json=body, timeout=60).status_code)
        return statuses

    with ThreadPoolExecutor(6) as pool:
        clients = [pool.submit(client, each) for each in range(6)]
        wait_until(lambda: next(number) > 30)
        assert server.run("drain").returncode == 0
        assert server.get("/ready").json() == {"status": "draining"}
        statuses = [status for each in clients for status in each.result()]
        server.process.send_signal(signal.SIGTERM)
    assert set(statuses) == {200}
    assert server.process.wait(STOP_SECONDS) == 0


def test_an_idle_connection_does_not_hold_the_exit_up(start: Callable[..., Server]) -> None:
    server = start(TTS_REQUEST_TIMEOUT_SECONDS="100")  # so long it would wait for a request
    with socket.create_connection(("127.0.0.1", server.port)) as connection, requests.Session() as session:
        assert session.get(server.url + "/health", timeout=30).status_code == 200
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(STOP_SECONDS) == 0
        connection.settimeout(10)
        assert connection.recv(1) == b""


def test_the_drain_mark_of_an_earlier_run_is_gone(start: Callable[..., Server]) -> None:
    server = start()
    assert server.run("drain").returncode == 0
    assert server.status("/ready") == 503
    server.process.kill()  # no chance to clean up
    server.process.wait()
    wait_until(lambda: server.status("/health") == 0)  # the worker sees that its master is gone
    again = start(TTS_PORT=str(server.port), ready=False)
    again.port = server.port
    wait_until(lambda: again.status("/ready") == 200, 60)


def test_drain_without_a_server(start: Callable[..., Server]) -> None:
    server = start()
    server.process.terminate()
    server.process.wait(STOP_SECONDS)
    result = server.run("drain")
    assert result.returncode == 1
    assert "no server" in result.stderr


@pytest.mark.parametrize(
    "settings,status,says",
    [
        ({"TTS_PORT": "http"}, 2, "TTS_PORT must be a whole number from 1 to 65535, not 'http'."),
        (
            {"TTS_ENGINE": "bark"},
            3,
            "Unknown engine 'bark'. Installed engines: fastspeech2, modelscope, triton, upstream.",
        ),
        ({"TTS_DEFAULT_VOICE": "alloy"}, 3, "TTS_DEFAULT_VOICE is 'alloy', but fastspeech2 has only: baker."),
    ],
)
def test_a_start_that_fails_says_why(
    start: Callable[..., Server], settings: dict[str, str], status: int, says: str
) -> None:
    server = start(ready=False, **settings)
    assert server.process.wait(60) == status
    wait_until(lambda: any(says in line for line in server.log))


def test_a_model_that_cannot_be_written_ends_the_process(start: Callable[..., Server], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    server = start(ready=False, XDG_CACHE_HOME=str(tmp_path / "file"))
    assert server.process.wait(60) == 3
    wait_until(lambda: any("Cannot write the patched acoustic model" in line for line in server.log))


def test_a_port_in_use_is_said(start: Callable[..., Server]) -> None:
    first = start()
    second = start(ready=False, TTS_PORT=str(first.port))
    assert second.process.wait(60) != 0
    wait_until(lambda: any("in use" in line.lower() for line in second.log))
    assert first.status("/ready") == 200


def test_logs_are_json_without_the_text(start: Callable[..., Server]) -> None:
    server = start()
    answer = server.post({"input": "秘密的文字"}, headers={"X-Request-Id": "test-1"})
    assert answer.headers["X-Request-Id"] == "test-1"
    wait_until(lambda: any('"test-1"' in line for line in server.log))
    entry = json.loads(next(line for line in server.log if '"test-1"' in line))
    assert (entry["path"], entry["status"], entry["characters"]) == ("/v1/audio/speech", 200, 5)
    assert not any("秘密" in line for line in server.log)


def test_a_killed_worker_ends_the_server(start: Callable[..., Server]) -> None:
    """As the kernel kills for memory: the container has to end, or Kubernetes would never hear of it."""
    server = start()
    children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text().split()
    assert len(children) == 1
    os.kill(int(children[0]), signal.SIGKILL)
    assert server.process.wait(STOP_SECONDS) == 137
    wait_until(lambda: any("raise resources.limits.memory" in line for line in server.log))
