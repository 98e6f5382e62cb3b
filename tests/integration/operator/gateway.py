"""A real proxy between the operator and the API server, which a test can interrupt."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import aiohttp
from aiohttp import web

from tts_operator.kube.connection import Access

GONE = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "Expired", "code": 410}
HOP = {"connection", "transfer-encoding", "content-length", "content-encoding", "host", "keep-alive"}


class Gateway:
    """Forwards requests. A test can end its watches, have each answered once with 410 Gone, and delay writes."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._session: aiohttp.ClientSession | None = None
        self._watches: set[asyncio.Task[object]] = set()
        self._cut = False
        self._stale: set[str] | None = None
        self.told_gone: set[str] = set()
        """The paths whose watches have been answered so."""
        self._flowing = asyncio.Event()
        self._flowing.set()
        self.failing = 0
        """How many of the next writes, except those of a Lease, are answered with 500."""
        self.held = 0
        """How many writes are held back."""
        self.renewals = 0
        """How many writes of a Lease have come in."""

    def hold(self) -> None:
        """Delay all writes except those of a Lease, like an API server whose writes are slow."""
        self._flowing.clear()

    def release(self) -> None:
        """Forward writes again, including the delayed ones."""
        self._flowing.set()

    def cut(self) -> None:
        """End all watches, and reject new ones."""
        self._cut = True
        for task in self._watches:
            task.cancel()

    def mend(self) -> None:
        """Accept watches again, after answering 410 Gone once for each path."""
        self._cut, self._stale = False, set()

    @asynccontextmanager
    async def serve(self) -> AsyncIterator[Access]:
        """Serve while the block runs. Yields the access to it."""
        app = web.Application(client_max_size=10**8)
        app.router.add_route("*", "/{path:.*}", self._pass)
        runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=0.1)
        connector = aiohttp.TCPConnector(ssl=self._access.tls, limit=0)
        async with aiohttp.ClientSession(connector=connector, auto_decompress=False) as self._session:
            await runner.setup()
            try:
                await web.TCPSite(runner, "127.0.0.1", 0).start()
                host, port, *_ = runner.addresses[0]
                yield dataclasses.replace(self._access, server=f"http://{host}:{port}")
            finally:
                self.cut()
                self.release()
                await runner.cleanup()

    async def _pass(self, request: web.Request) -> web.StreamResponse:
        if "watch" not in request.query:
            if "/leases" in request.path:
                self.renewals += request.method == "PUT"
            elif request.method != "GET":
                if self.failing:
                    self.failing -= 1
                    return web.Response(status=500, text="failing")
                await self._wait()
            return await self._forward(request)
        if self._cut:
            return web.Response(status=503, text="cut")
        if self._stale is not None and request.path not in self._stale:
            self._stale.add(request.path)
            self.told_gone.add(request.path)
            return web.Response(text=json.dumps({"type": "ERROR", "object": GONE}) + "\n")
        task = asyncio.current_task()
        assert task is not None
        self._watches.add(task)
        try:
            return await self._forward(request)
        finally:
            self._watches.discard(task)

    async def _wait(self) -> None:
        self.held += 1
        try:
            await self._flowing.wait()
        finally:
            self.held -= 1

    async def _forward(self, request: web.Request) -> web.StreamResponse:
        assert self._session is not None
        headers = {name: value for name, value in request.headers.items() if name.lower() not in HOP}
        async with self._session.request(
            request.method,
            self._access.server + str(request.rel_url),
            headers=headers,
            data=await request.read() or None,  # an empty body would be sent with a type of its own
            timeout=aiohttp.ClientTimeout(total=None),
        ) as answer:
            kept = {name: value for name, value in answer.headers.items() if name.lower() not in HOP}
            response = web.StreamResponse(status=answer.status, headers=kept)
            await response.prepare(request)
            with suppress(ConnectionResetError):
                async for chunk in answer.content.iter_any():
                    await response.write(chunk)
                await response.write_eof()
            return response
