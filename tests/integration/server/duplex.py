"""A WebSocket client of the server's duplex endpoint, which collects what it receives."""

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import websocket

from .conftest import Server

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
    _held: list[str] | None = None

    def run(self, task_id: str = "task-1", **parameters: Any) -> None:
        self.act("run-task", task_id, {"parameters": {"format": "pcm", **parameters}, "input": {}})

    def say(self, text: str, task_id: str = "task-1") -> None:
        self.act("continue-task", task_id, {"input": {"text": text}})

    def finish(self, task_id: str = "task-1") -> None:
        self.act("finish-task", task_id, {"input": {}})

    def cancel(self, task_id: str = "task-1") -> None:
        self.act("finish-task", task_id, {"input": {"directive": "cancel"}})

    def act(self, action: str, task_id: str, payload: dict[str, Any]) -> None:
        message = json.dumps({"header": {"action": action, "task_id": task_id}, "payload": payload})
        if self._held is None:
            self.socket.send(message)
        else:
            self._held.append(message)

    @contextlib.contextmanager
    def at_once(self) -> Iterator[None]:
        """Send all messages of the block in one piece, so that the server takes nothing between them for a pause."""
        held: list[str] = []
        self._held = held
        yield
        self._held = None
        frames = [websocket.ABNF.create_frame(each, websocket.ABNF.OPCODE_TEXT).format() for each in held]
        assert self.socket.sock
        self.socket.sock.sendall(b"".join(frames))

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


def metric(server: Server, name: str) -> float:
    lines = server.get("/metrics").text.splitlines()
    return next((float(line.split()[-1]) for line in lines if line.startswith(name + " ")), 0.0)
