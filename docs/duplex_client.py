"""Speak a text while it is being written, over the WebSocket of tts-server. Needs aiohttp (pip install aiohttp).

    python docs/duplex_client.py http://localhost:7860 answer.wav < answer.txt

Set TTS_API_KEY if the server wants a key. Copy `speak` into your bot: pass it what the language model yields.
"""

import asyncio
import contextlib
import json
import os
import sys
import uuid
import wave
from collections.abc import AsyncIterable, AsyncIterator, Callable
from typing import Any

import aiohttp

_SAMPLE_RATE = 24_000


class SpeechError(Exception):
    """The server could not speak. `code` is one of docs/server.md."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


async def speak(
    socket: aiohttp.ClientWebSocketResponse,
    fragments: AsyncIterable[str],
    play: Callable[[bytes], Any],
    interrupted: asyncio.Event,
    **parameters: Any,
) -> dict[str, Any]:
    """Send the fragments of a text as they come, and pass the audio to `play`. `parameters` are those of run-task.

    Set `interrupted` when the user begins to speak. Returns the payload of task-finished, which then says in
    `output.stopped` where the speech has stopped. The connection can be used for the next answer.
    """
    task_id = uuid.uuid4().hex

    async def send(action: str, payload: dict[str, Any]) -> None:
        header = {"action": action, "task_id": task_id, "streaming": "duplex"}
        await socket.send_json({"header": header, "payload": payload})

    async def write() -> None:
        async for fragment in fragments:
            await send("continue-task", {"input": {"text": fragment}})
        await send("finish-task", {"input": {}})

    async def cancel(writer: "asyncio.Task[None]") -> None:
        await interrupted.wait()
        writer.cancel()
        await send("finish-task", {"input": {"directive": "cancel"}})

    await send("run-task", {"parameters": {"format": "pcm", **parameters}, "input": {}})
    writer = asyncio.create_task(write())
    canceler = asyncio.create_task(cancel(writer))
    try:
        return await _receive(socket, task_id, play, interrupted)
    finally:
        for each in (writer, canceler):
            each.cancel()
            with contextlib.suppress(asyncio.CancelledError, ConnectionError):
                await each


async def _receive(
    socket: aiohttp.ClientWebSocketResponse, task_id: str, play: Callable[[bytes], Any], interrupted: asyncio.Event
) -> dict[str, Any]:
    async for message in socket:
        if message.type is aiohttp.WSMsgType.BINARY:
            if not interrupted.is_set():
                play(message.data)
            continue
        event = json.loads(message.data)
        header = event["header"]
        if header["task_id"] == task_id and header["event"] == "task-failed":
            raise SpeechError(header["error_code"], header["error_message"])
        if header["task_id"] == task_id and header["event"] == "task-finished":
            payload: dict[str, Any] = event["payload"]
            return payload
    raise ConnectionError(f"The server has closed the connection with code {socket.close_code}.")


async def _lines() -> AsyncIterator[str]:
    while line := await asyncio.to_thread(sys.stdin.readline):
        yield line


async def _main(url: str, path: str) -> None:
    key = os.environ.get("TTS_API_KEY")
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    with wave.open(path, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(_SAMPLE_RATE)
        async with (
            aiohttp.ClientSession(headers=headers) as session,
            session.ws_connect(url.rstrip("/") + "/v1/audio/speech/stream") as socket,
        ):
            finished = await speak(socket, _lines(), file.writeframes, asyncio.Event(), sample_rate=_SAMPLE_RATE)
    sys.stdout.write(f"{finished['usage']['characters']} characters\n")


if __name__ == "__main__":
    if len(sys.argv) != 3:  # noqa: PLR2004 - the program, the server, and the file
        sys.exit(f"usage: {sys.argv[0]} http://SERVER:7860 answer.wav < answer.txt")
    asyncio.run(_main(sys.argv[1], sys.argv[2]))
