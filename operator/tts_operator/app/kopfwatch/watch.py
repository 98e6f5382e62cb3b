"""kopf's login, and its watch of TTSServices. No other module imports kopf."""

import asyncio
import itertools
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import kopf

from tts_operator.api import GROUP, PLURAL, VERSION
from tts_operator.desired.identity import MANAGED_BY
from tts_operator.json_object import Json
from tts_operator.kube.connection import Access, Connection

STOP_SECONDS = 10.0
"""How long kopf may take to stop; less than the pod's grace period."""
ANSWER_SECONDS = 5.0
SWITCH_SECONDS = 0.001
"""How long kopf's thread may have to wait for a busy main thread. kopf takes many small steps: with Python's default of
0.005, events of TTSServices would lag by seconds while many are reconciled."""
RECURSION_LIMIT = 20_000
"""The API server accepts JSON that is nested 10,000 levels deep, and podTemplate may be. With Python's default of 1000,
one such TTSService would make every list and watch unreadable, so that any tenant could stop the operator for everyone.
Measured at that depth: reading, comparing, and writing takes less than 4 MiB of stack; a thread has 8."""
IDLE_SECONDS = 0.5
"""How long kopf keeps the task of an object without events. With its default of 5 s, a thousand objects at the start
leave a thousand tasks to end just after the start."""
SERVICE_ACCOUNT_TOKEN = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")


class WatchEndedError(Exception):
    """kopf has stopped on its own."""


def find_access() -> Access:
    """Log in with the pod's service account, or the kubeconfig's current context. Raises kopf.LoginError."""
    settings = kopf.OperatorSettings()
    found = kopf.login_with_service_account(settings=settings) or kopf.login_with_kubeconfig(settings=settings)
    if found is None:
        raise kopf.LoginError(
            "no cluster configured: run in a pod, or set KUBECONFIG to a kubeconfig whose current context works"
        )
    in_pod = SERVICE_ACCOUNT_TOKEN.exists()
    return Access(
        server=found.server,
        tls=found.as_ssl_context(),
        headers={} if in_pod else found.as_http_headers(),
        token_file=SERVICE_ACCOUNT_TOKEN if in_pod else None,
    )


class KopfWatch:
    """Runs kopf's watch of TTSServices in its own thread and event loop.

    In the main thread, kopf would take over the signal handlers. When it stops, it cancels every other task of its
    loop, and raises their errors.
    """

    def __init__(
        self, connection: Connection, namespaces: Sequence[str], changed: Callable[[str | None, Json], None]
    ) -> None:
        """`namespaces` are the ones to watch; all if empty.

        `changed` is called in the event loop of `run`, with the event's type (None: from a list) and the object.
        """
        self._connection = connection
        self._namespaces = namespaces
        self._changed = changed
        self._loop: asyncio.AbstractEventLoop | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """Watch until `stop` is set. Raises kopf's error if it fails, and WatchEndedError if it stops on its own."""
        ours = asyncio.get_running_loop()
        ended = threading.Event()
        sys.setswitchinterval(SWITCH_SECONDS)
        sys.setrecursionlimit(max(RECURSION_LIMIT, sys.getrecursionlimit()))
        watching = asyncio.create_task(asyncio.to_thread(asyncio.run, self._run_kopf(ours, ended)))
        stopping = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({watching, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if watching.done():
                watching.result()
                raise WatchEndedError("kopf has stopped watching TTSServices")
        finally:
            stopping.cancel()
            ended.set()
            if not watching.done():
                async with asyncio.timeout(STOP_SECONDS):
                    await watching

    async def problem(self) -> str:
        """Say what is wrong with kopf's thread; empty if its loop responds."""
        if self._loop is None:
            return ""  # not started yet
        nothing = asyncio.sleep(0)
        try:
            answer = asyncio.wrap_future(asyncio.run_coroutine_threadsafe(nothing, self._loop))
            await asyncio.wait_for(answer, ANSWER_SECONDS)
        except (TimeoutError, RuntimeError):  # stuck, or closed
            nothing.close()
            return f"kopf, which watches the TTSServices, has not responded for {ANSWER_SECONDS:.0f} s"
        return ""

    async def _run_kopf(self, ours: asyncio.AbstractEventLoop, ended: threading.Event) -> None:
        """Run kopf in this thread's loop, and forward its events to `ours`. Raises kopf's error."""
        self._loop = asyncio.get_running_loop()
        registry = kopf.OperatorRegistry()

        @kopf.on.login(registry=registry)
        async def login(**_: Any) -> kopf.AiohttpSession:
            return kopf.AiohttpSession(
                server=self._connection.access.server, aiohttp_session=self._connection.new_session()
            )

        # Of all handlers, only `on.event` writes neither annotations nor finalizers to the object.
        @kopf.on.event(GROUP, VERSION, PLURAL, registry=registry)
        async def changed(event: Mapping[str, Any], **_: Any) -> None:
            ours.call_soon_threadsafe(self._changed, event["type"], dict(event["object"]))

        try:
            await kopf.operator(
                registry=registry,
                settings=_kopf_settings(),
                standalone=True,
                # Otherwise, kopf looks up the user name, which a container may not have.
                identity=MANAGED_BY,  # type: ignore[arg-type]
                clusterwide=not self._namespaces,
                namespaces=list(self._namespaces),
                stop_flag=ended,
            )
        finally:
            ended.set()  # otherwise, the thread in which kopf waits for it never ends
            await asyncio.sleep(0.01)  # lets the loop finish the connections that kopf has closed


class _NoMemory(kopf.DiffBaseStorage):
    """Replaces kopf's storage of an object's last state, which only handlers of changes need.

    The default one copies each object twice per event, which is a large part of the cost of an event.
    """

    def build(self, *, body: kopf.Body, extra_fields: object = None) -> kopf.BodyEssence:
        """Return an empty essence."""
        del body, extra_fields
        return kopf.BodyEssence()

    def fetch(self, *, body: kopf.Body) -> kopf.BodyEssence | None:
        """Return no last state."""
        del body
        return None

    def store(self, *, body: kopf.Body, patch: kopf.Patch, essence: kopf.BodyEssence) -> None:
        """Write nothing."""


class _Backoffs:
    """Seconds between kopf's retries. Endless, because kopf ends the process after the last one."""

    def __iter__(self) -> Iterator[float]:
        return itertools.chain((1, 1, 2, 3, 5, 8, 13), itertools.repeat(21))


def _kopf_settings() -> kopf.OperatorSettings:
    settings = kopf.OperatorSettings()
    settings.scanning.disabled = True
    settings.posting.enabled = False
    settings.peering.standalone = True
    settings.watching.server_timeout = 300
    settings.watching.client_timeout = 310
    settings.queueing.idle_timeout = IDLE_SECONDS
    settings.networking.error_backoffs = _Backoffs()
    settings.persistence.finalizer = f"{GROUP}/unused"  # kopf removes its default one from any object
    settings.persistence.diffbase_storage = _NoMemory()
    settings.process.ultimate_exiting_timeout = STOP_SECONDS
    return settings
