"""The real server: ``python -m tts_server serve``, gunicorn, gevent, LiteRT and the voice, on a port of its own."""

import inspect
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import requests

from devcluster.backends import local

ROOT = Path(__file__).resolve().parents[3]
START_SECONDS = 60.0
STOP_SECONDS = 45.0
FAILING = str(Path(__file__).with_name("failing.py"))


def wait_until(condition: Callable[[], bool], seconds: float = 30.0, *, every: float = 0.01) -> None:
    """Return when the condition holds; fail when it does not within the time. Look ``every`` so many seconds."""
    deadline = time.monotonic() + seconds
    pause = threading.Event()
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"not within {seconds:.0f} s: {_place(condition)}")
        pause.wait(every)


def _place(condition: Callable[[], bool]) -> str:
    """Return where a condition is written, for the one line of a summary."""
    function = condition.func if isinstance(condition, partial) else condition
    return f"line {inspect.getsourcelines(function)[1]} of {Path(inspect.getsourcefile(function) or '').name}"


def hang(process: "subprocess.Popen[bytes]") -> None:
    """Stop a process until it gets SIGCONT. Return when all its threads have stopped, which takes a moment."""
    process.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)


def wait_until_ready(server: "Server") -> None:
    def is_ready() -> bool:
        ready = server.status("/ready") == 200
        assert server.process.poll() is None, f"the server has ended: {server.log}"
        return ready

    wait_until(is_ready, START_SECONDS)


def free_port() -> int:
    [port] = local.free_ports(1)
    return port


@dataclass
class Server:
    """A server process and how to talk to it."""

    process: "subprocess.Popen[str]"
    port: int
    environ: dict[str, str]
    log: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def get(self, path: str, timeout: float = 30.0) -> requests.Response:
        return requests.get(self.url + path, timeout=timeout)

    def status(self, path: str) -> int:
        """The status of a GET, 0 when nobody listens or answers."""
        try:
            return self.get(path).status_code
        except (requests.ConnectionError, requests.Timeout):
            return 0

    def post(self, body: Any, timeout: float = 60.0, **more: Any) -> requests.Response:
        return requests.post(self.url + "/v1/audio/speech", json=body, timeout=timeout, **more)

    def speak(self, text: str, **more: Any) -> requests.Response:
        response = self.post({"input": text, "response_format": "wav", **more})
        assert response.status_code == 200, response.text
        return response

    def run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run a command of the command line with this server's environment."""
        return subprocess.run(
            [sys.executable, "-m", "tts_server", *arguments],
            env=self.environ,
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )


@contextmanager
def running(
    cache: Path,
    python: str = sys.executable,
    program: str = "-mtts_server",
    command: str = "serve",
    **settings: str,
) -> Iterator[Server]:
    """Start a server with these ``TTS_*`` settings, without waiting for anything; kill it afterwards.

    ``program`` is a file in the place of the server's own module, and ``command`` is its argument. Without
    ``TTS_PORT``, it gets a port of its own. Tests of how a server stops stop it themselves.
    """
    asked = settings.get("TTS_PORT", "")
    port = int(asked) if asked.isdecimal() else free_port()
    environ = {
        **{name: value for name, value in os.environ.items() if not name.startswith("TTS_")},
        "XDG_CACHE_HOME": str(cache),
        "TTS_HOST": "127.0.0.1",
        "TTS_PORT": str(port),
        "TTS_DRAIN_SECONDS": "0",
        **settings,
    }
    process = subprocess.Popen(
        [python, program, command], env=environ, cwd=ROOT, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    server = Server(process, port, environ)
    stderr = process.stderr
    assert stderr is not None
    reader = threading.Thread(target=lambda: server.log.extend(stderr), daemon=True)
    reader.start()
    try:
        yield server
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)  # gunicorn's worker too
            process.wait()
        reader.join(STOP_SECONDS)
        stderr.close()


@pytest.fixture
def start_together(cache: Path) -> Iterator[Callable[..., list[Server]]]:
    """Start one server for each mapping of settings, all at once, ready unless told otherwise."""
    with ExitStack() as stack:

        def begin(
            *each: Mapping[str, str], program: str = "-mtts_server", command: str = "serve", ready: bool = True
        ) -> list[Server]:
            servers = [
                stack.enter_context(running(cache, program=program, command=command, **settings)) for settings in each
            ]
            for server in servers if ready else ():
                wait_until_ready(server)
            return servers

        yield begin


@pytest.fixture
def start(start_together: Callable[..., list[Server]]) -> Callable[..., Server]:
    """Start servers of the test's own, ready unless told otherwise."""

    def begin(command: str = "serve", *, ready: bool = True, **settings: str) -> Server:
        [server] = start_together(settings, command=command, ready=ready)
        return server

    return begin


@pytest.fixture
def gate(tmp_path: Path) -> Path:
    """The file for which the engine of ``start_failing`` waits at 等: what is in hand stays so until it is made."""
    return tmp_path / "gate"


@pytest.fixture
def start_failing(start_together: Callable[..., list[Server]], gate: Path) -> Callable[..., Server]:
    """Start servers of the test's own whose engine does what a text says, see failing.py."""

    def begin(**settings: str) -> Server:
        [server] = start_together({"PYTHONPATH": str(ROOT), "GATE": str(gate), **settings}, program=FAILING)
        return server

    return begin


@pytest.fixture(scope="session")
def server(cache: Path) -> Iterator[Server]:
    """A server that all modules share. Two threads, and room for all that they ask."""
    with running(cache, TTS_THREADS="2", TTS_QUEUE_SECONDS="60", TTS_LOG_LEVEL="debug") as made:
        wait_until_ready(made)
        yield made
