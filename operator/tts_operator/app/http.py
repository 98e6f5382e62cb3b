"""The operator's HTTP endpoints: /healthz, /readyz, /metrics, and /nodes for the other replicas."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from http import HTTPStatus

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST
from prometheus_client.openmetrics.exposition import CONTENT_TYPE_LATEST as OPENMETRICS_TYPE

from tts_operator.app.settings import ListenAddress
from tts_operator.fencing import MAX_NODES, PEERS_PATH
from tts_operator.json_object import Json

MAX_LINE_BYTES = 32 << 10
"""Maximum length of a request line: a query about MAX_NODES nodes with names of 253 characters. With aiohttp's default
of 8190, replicas would not answer each other in a large outage, and each would act as if it were alone."""
PAGE_SECONDS = 1.0
"""A page of metrics takes milliseconds for each hundred services, and anybody may ask for it. So it is made once in
this time, however often it is asked for."""


@asynccontextmanager
async def serve(
    address: ListenAddress,
    *,
    problem: Callable[[], Awaitable[str]],
    waiting_for: Callable[[], str],
    metrics: Callable[[], bytes],
    openmetrics: Callable[[], bytes] | None = None,
    nodes: Callable[[Sequence[str]], Json],
) -> AsyncIterator[ListenAddress]:
    """Serve while the block runs. Yields the actual address. Raises OSError if it cannot listen.

    `problem` and `waiting_for` say why the process is unhealthy or not ready; empty if it is fine. `metrics` renders
    the page of metrics, and `openmetrics` the same in OpenMetrics' format, for clients that accept it; None if that
    format would add nothing. `nodes` returns this replica's view of the named nodes.
    """

    async def healthz(_: web.Request) -> web.Response:
        return _probe_response(await problem())

    async def readyz(_: web.Request) -> web.Response:
        return _probe_response(waiting_for())

    recent = _Recent(metrics, PAGE_SECONDS)
    recent_openmetrics = _Recent(openmetrics, PAGE_SECONDS) if openmetrics is not None else None

    async def page(request: web.Request) -> web.Response:
        if recent_openmetrics is not None and "application/openmetrics-text" in request.headers.get("Accept", ""):
            return web.Response(body=recent_openmetrics.page(), headers={"Content-Type": OPENMETRICS_TYPE})
        return web.Response(body=recent.page(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def view(request: web.Request) -> web.Response:
        return web.json_response(nodes(request.query.getall("node", [])[:MAX_NODES]))

    app = web.Application()
    app.router.add_get("/healthz", healthz)
    app.router.add_get("/readyz", readyz)
    app.router.add_get("/metrics", page)
    app.router.add_get(PEERS_PATH, view)
    runner = web.AppRunner(
        app, access_log=None, handle_signals=False, shutdown_timeout=0.5, max_line_size=MAX_LINE_BYTES
    )
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, address.host, address.port).start()
        except OSError as error:
            raise OSError(error.errno, f"cannot listen; choose another --http-address: {error.strerror}") from None
        host, port, *_ = runner.addresses[0]
        yield ListenAddress(host, port)
    finally:
        await runner.cleanup()
        await asyncio.sleep(0)  # lets the closed transports finish


class _Recent:
    """A page that is made again when it is older than so many seconds."""

    def __init__(self, make: Callable[[], bytes], seconds: float) -> None:
        self._make = make
        self._seconds = seconds
        self._page = b""
        self._until = 0.0

    def page(self) -> bytes:
        """Return the page."""
        now = time.monotonic()
        if now >= self._until:
            self._page, self._until = self._make(), now + self._seconds
        return self._page


def _probe_response(problem: str) -> web.Response:
    return web.Response(
        text=(problem or "ok") + "\n", status=HTTPStatus.SERVICE_UNAVAILABLE if problem else HTTPStatus.OK
    )
