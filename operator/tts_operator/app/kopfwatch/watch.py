"""kopf: the login, and the watch of TTSServices. Nothing else of it is used, and nobody else imports it."""

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
"""How long kopf may take to end; below the pod's grace period."""
ANSWER_SECONDS = 5.0
SWITCH_SECONDS = 0.001
"""How long kopf's thread may have to wait for a busy main thread. With Python's own 0.005, for each of its many small
steps, news of TTSServices would lag by seconds while many are reconciled."""
RECURSION_LIMIT = 20_000
"""The API server takes JSON that is nested 10,000 deep, as podTemplate may be. With Python's own limit of 1000 nobody
could read a list or a watch with one such TTSService in it: whoever may write one would end the operator for all.
Measured at that depth: to read, compare and write it takes less than 4 MiB of stack; a thread has 8."""
IDLE_SECONDS = 0.5
"""How long kopf keeps a task for an object of which it hears no more. With its own 5 s, a start over a thousand is
done, and then has a thousand tasks to end."""
SERVICE_ACCOUNT_TOKEN = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")


class WatchEndedError(Exception):
    """kopf has ended though nobody asked it to."""


def find_access() -> Access:
    """From the pod's service account, or else the current context of the kubeconfig. Raises kopf.LoginError."""
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
    """kopf's watch of the TTSServices, in a thread and event loop of its own.

    kopf takes the signal handlers of a main thread, and at its end it cancels every task of its loop that it does not
    know, and raises what has gone wrong in them.
    """

    def __init__(
        self, connection: Connection, namespaces: Sequence[str], changed: Callable[[str | None, Json], None]
    ) -> None:
        """`namespaces` are those to watch; all if empty.

        `changed` is called in the loop that runs `run`, with the event's type (None: on a list) and the object.
        """
        self._connection = connection
        self._namespaces = namespaces
        self._changed = changed
        self._loop: asyncio.AbstractEventLoop | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """Watch until `stop` is set. Raises what makes kopf fail, and WatchEndedError where it ends by itself."""
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
        """What is wrong with kopf's thread; empty where its loop answers."""
        if self._loop is None:
            return ""  # not begun
        nothing = asyncio.sleep(0)
        try:
            answer = asyncio.wrap_future(asyncio.run_coroutine_threadsafe(nothing, self._loop))
            await asyncio.wait_for(answer, ANSWER_SECONDS)
        except (TimeoutError, RuntimeError):  # stuck, or closed
            nothing.close()
            return f"kopf, which watches the TTSServices, has not responded for {ANSWER_SECONDS:.0f} s"
        return ""

    async def _run_kopf(self, ours: asyncio.AbstractEventLoop, ended: threading.Event) -> None:
        """Run kopf in the loop of this thread; what it tells goes to `ours`. Raises what made it fail."""
        self._loop = asyncio.get_running_loop()
        registry = kopf.OperatorRegistry()

        @kopf.on.login(registry=registry)
        async def login(**_: Any) -> kopf.AiohttpSession:
            return kopf.AiohttpSession(
                server=self._connection.access.server, aiohttp_session=self._connection.new_session()
            )

        # `on.event` alone writes nothing to the object: no annotation, no finalizer.
        @kopf.on.event(GROUP, VERSION, PLURAL, registry=registry)
        async def changed(event: Mapping[str, Any], **_: Any) -> None:
            ours.call_soon_threadsafe(self._changed, event["type"], dict(event["object"]))

        try:
            await kopf.operator(
                registry=registry,
                settings=_kopf_settings(),
                standalone=True,
                # kopf would else look the user up, whom a container image need not know.
                identity=MANAGED_BY,  # type: ignore[arg-type]
                clusterwide=not self._namespaces,
                namespaces=list(self._namespaces),
                stop_flag=ended,
            )
        finally:
            ended.set()  # or the thread in which kopf waits for it would outlive it
            await asyncio.sleep(0.01)  # kopf has closed its connections; let the loop see them end


class _NoMemory(kopf.DiffBaseStorage):
    """kopf's memory of an object's last state, for handlers that ask what has changed. Ours do not.

    Its own copies each object of each event twice, which is a good part of all that an event costs.
    """

    def build(self, *, body: kopf.Body, extra_fields: object = None) -> kopf.BodyEssence:
        """Nothing of the object."""
        del body, extra_fields
        return kopf.BodyEssence()

    def fetch(self, *, body: kopf.Body) -> kopf.BodyEssence | None:
        """No last state."""
        del body
        return None

    def store(self, *, body: kopf.Body, patch: kopf.Patch, essence: kopf.BodyEssence) -> None:
        """Write nothing."""


class _Backoffs:
    """Seconds between kopf's tries: for ever, since with the last one it would end the process."""

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
    settings.persistence.finalizer = f"{GROUP}/unused"  # kopf strips its default one from what others own
    settings.persistence.diffbase_storage = _NoMemory()
    settings.process.ultimate_exiting_timeout = STOP_SECONDS
    return settings
