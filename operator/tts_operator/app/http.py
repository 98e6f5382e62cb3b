"""The operator's own HTTP endpoint: /healthz, /readyz, /metrics, and /nodes for the other replicas."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from http import HTTPStatus

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST

from tts_operator.app.settings import Address
from tts_operator.fencing import MAX_NODES, PEERS_PATH
from tts_operator.json_object import Json


@asynccontextmanager
async def serve(
    address: Address,
    *,
    problem: Callable[[], Awaitable[str]],
    waiting_for: Callable[[], str],
    metrics: Callable[[], bytes],
    nodes: Callable[[Sequence[str]], Json],
) -> AsyncIterator[Address]:
    """Answer while the block runs; yields where. Raises OSError where the address cannot be had.

    `problem` and `waiting_for` say in words what makes the process unhealthy or not ready; empty for nothing. `nodes`
    says what is seen of the nodes of these names.
    """

    async def healthz(_: web.Request) -> web.Response:
        return _verdict(await problem())

    async def readyz(_: web.Request) -> web.Response:
        return _verdict(waiting_for())

    async def page(_: web.Request) -> web.Response:
        return web.Response(body=metrics(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def sight(request: web.Request) -> web.Response:
        return web.json_response(nodes(request.query.getall("node", [])[:MAX_NODES]))

    app = web.Application()
    app.router.add_get("/healthz", healthz)
    app.router.add_get("/readyz", readyz)
    app.router.add_get("/metrics", page)
    app.router.add_get(PEERS_PATH, sight)
    runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=0.5)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, address.host, address.port).start()
        except OSError as error:
            raise OSError(error.errno, f"cannot listen; choose another --http-address: {error.strerror}") from None
        host, port, *_ = runner.addresses[0]
        yield Address(host, port)
    finally:
        await runner.cleanup()
        await asyncio.sleep(0)  # let the transports that this closes end


def _verdict(problem: str) -> web.Response:
    return web.Response(
        text=(problem or "ok") + "\n", status=HTTPStatus.SERVICE_UNAVAILABLE if problem else HTTPStatus.OK
    )
