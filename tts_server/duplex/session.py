"""One connection: messages in, tasks one after the other, events and audio out."""

import logging
import time
from dataclasses import dataclass

import gevent
from wsproto.frame_protocol import CloseReason

from tts_server.apikeys import ApiKey
from tts_server.duplex.account import Account, quota_errors
from tts_server.duplex.messages import InvalidMessageError, Message, TaskError, parse_message, task_failed
from tts_server.duplex.outbox import Close, Outbox, Outgoing
from tts_server.duplex.task import Task
from tts_server.duplex.websocket import ClosedError, WebSocket
from tts_server.observability.metrics import Metrics
from tts_server.process.lifecycle import Lifecycle
from tts_server.quota.quotas import Quotas, Stream
from tts_server.synthesis.service import SpeechService

log = logging.getLogger(__name__)

IDLE_SECONDS = 60.0
"""After how long without a task a connection is closed."""
_CLOSE_SECONDS = 2.0
"""How long the client may take to answer the close."""
_TICK_SECONDS = 0.5
_RENEW_SECONDS = 15.0
"""How often a task says that it still counts as a stream of its key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """The parts of the server that a session uses. ``timeout`` is the deadline of a sentence in seconds."""

    service: SpeechService
    lifecycle: Lifecycle
    metrics: Metrics
    model_name: str
    timeout: float
    request_id: str
    quotas: Quotas
    caller: ApiKey


class Session:
    """Runs the tasks of one connection, until it closes."""

    def __init__(self, websocket: WebSocket, surroundings: Surroundings) -> None:
        self._websocket = websocket
        self._server = surroundings
        self._outbox = Outbox()
        self._task: Task | None = None
        self._stream: Stream | None = None
        self._renewed = 0.0
        self._last_task = ""
        self._idle_since = time.monotonic()
        self._stop_at: float | None = None
        self._closed_by: float | None = None

    def run(self) -> None:
        """Serve the connection. Returns when it is closed."""
        sender = gevent.spawn(self._send)
        try:
            while True:
                for text in self._websocket.receive(_TICK_SECONDS):
                    if self._closed_by is None:
                        self._handle(text)
                self._websocket.keep_alive()
                self._close_if_due()
        except ClosedError:
            return
        finally:
            if self._task:
                self._task.abandon()
                self._end(self._task)
            sender.kill()
            self._websocket.abort()

    def _send(self) -> None:
        while True:
            message = self._outbox.get()
            if isinstance(message.data, Close):
                self._websocket.close(message.data.code, message.data.reason)
                return
            try:
                self._websocket.send(message.data if isinstance(message.data, bytes) else message.data())
            except ClosedError:
                return
            message.sent()

    def _close(self, code: int, reason: str) -> None:
        """Close the connection after all that waits to be sent."""
        self._closed_by = time.monotonic() + _CLOSE_SECONDS
        self._outbox.put(Outgoing("", Close(code, reason)))

    def _handle(self, text: str) -> None:
        try:
            self._perform(parse_message(text))
        except InvalidMessageError as error:
            self._refuse(error)

    def _perform(self, message: Message) -> None:
        task, header = self._task, message.header
        if header.action == "run-task":
            self._start(message)
        elif task and task.id == header.task_id:
            self._continue(task, message)
        elif header.task_id != self._last_task:
            # What was sent before the end of the last task was known is no mistake.
            raise InvalidMessageError(
                "task_not_found", f"No task has this id. Send run-task before {header.action}.", header.task_id
            )

    def _start(self, message: Message) -> None:
        task_id, payload, server = message.header.task_id, message.payload, self._server
        if self._task:
            raise InvalidMessageError(
                "task_in_progress",
                f"The task {self._task.id} has not ended. Wait for its end, or cancel it with finish-task.",
                task_id,
            )
        if payload.model not in (None, server.model_name):
            raise InvalidMessageError("model_not_found", f"This server serves {server.model_name!r}.", task_id)
        task = Task(
            task_id,
            payload.parameters,
            service=server.service,
            outbox=self._outbox,
            timeout=server.timeout,
            account=Account(server.quotas, server.caller),
            on_end=self._end,
        )
        self._task = task
        try:
            with quota_errors():
                self._stream = server.quotas.open_stream(server.caller)
            self._renewed = time.monotonic()
            task.start()
            task.add(payload.input.text)
        except TaskError as error:
            task.fail(error)

    def _continue(self, task: Task, message: Message) -> None:
        given, finish = message.payload.input, message.header.action == "finish-task"
        if finish and given.directive == "cancel":
            task.cancel()
            return
        try:
            task.add(given.text)
            if finish:
                task.finish()
            elif given.flush:
                task.flush()
        except TaskError as error:
            task.fail(error)

    def _refuse(self, invalid: InvalidMessageError) -> None:
        """Answer an invalid message. If it names no task, nobody knows what it means, and the connection closes."""
        error = TaskError(invalid.code, str(invalid))
        if self._task and self._task.id == (invalid.task_id or self._task.id):
            self._task.fail(error)
        else:
            self._count(error)
            self._outbox.put(Outgoing("", lambda: task_failed(invalid.task_id, error)))
        if not invalid.task_id:
            self._close(CloseReason.POLICY_VIOLATION, str(invalid))

    def _end(self, task: Task) -> None:
        """Forget a task, once its last event is sent or the client has gone."""
        if self._stream:
            self._stream.release()
            self._stream = None
        self._server.quotas.count(self._server.caller, seconds=task.sent.milliseconds / 1000)
        if task.error:
            self._count(task.error)
            self._server.metrics.broke_off(task.error.code)
        self._task, self._last_task, self._idle_since = None, task.id, time.monotonic()
        self._server.metrics.duplex_tasks.labels(task.result).inc()
        record = {
            "request_id": self._server.request_id,
            "task_id": task.id,
            "result": task.result,
            "code": task.error.code if task.error else None,
            "characters": task.characters,
            "audio_seconds": task.sent.milliseconds / 1000,
        }
        log.info("task", extra=record)

    def _count(self, error: TaskError) -> None:
        self._server.metrics.rejections.labels(error.code).inc()

    def _close_if_due(self) -> None:
        """Close a connection that is idle. While the server stops, that is every one whose task has ended."""
        now = time.monotonic()
        if self._outbox.overflowing or (self._closed_by is not None and now > self._closed_by):
            raise ClosedError
        if self._closed_by is not None:
            return
        if self._stream and now - self._renewed > _RENEW_SECONDS:
            self._renewed = now
            self._stream.renew()
        if self._server.lifecycle.stopping:
            self._stop_at = self._stop_at or now + self._server.timeout
            if self._task and now < self._stop_at:
                return
            if self._task:
                self._task.fail(TaskError("server_draining", "The server stops. Connect again.", retry_after=1))
            self._close(CloseReason.GOING_AWAY, "The server stops. Connect again.")
        elif not self._task and now - self._idle_since > IDLE_SECONDS:
            self._close(CloseReason.NORMAL_CLOSURE, f"No task for {IDLE_SECONDS:g} seconds.")
