"""Loading an engine on native threads, while the event loop, and whatever else Python has to do, goes on."""

import time
from collections.abc import Sequence
from importlib import import_module

from gevent.monkey import get_original
from gevent.threadpool import ThreadPool

from tts_server.engines import Engine, Session


class Loading:
    """Loads the engine and opens its sessions; begins at once.

    Most of it is compiling and warming networks, outside Python's global lock: begun early, it costs a start nothing.
    """

    def __init__(self, engine: Engine, threads: int) -> None:
        self._engine = engine
        self._pool = ThreadPool(threads)
        self.began = time.monotonic()
        self._usable = False
        # A real lock: gevent's would need the event loop, which an importing main thread does not let run.
        self._loading = get_original("_thread", "allocate_lock")()
        self._loading.acquire()
        self._opening = [self._pool.spawn(self._load_and_open)]
        self._opening += [self._pool.spawn(self._open_when_loaded) for _ in range(threads - 1)]

    def _load_and_open(self) -> Session:
        try:
            self._engine.load()
            self._usable = True
        finally:
            self._loading.release()
        return self._engine.open_session()

    def _open_when_loaded(self) -> Session | None:
        with self._loading:
            pass
        return self._engine.open_session() if self._usable else None

    def sessions(self) -> Sequence[Session]:
        """Wait for as many sessions as there are threads; raises what the engine raises, EngineError as a rule."""
        try:
            opened = [each.get() for each in self._opening]
        finally:
            self._pool.kill()
        return [each for each in opened if each is not None]


def begin_early(engine: Engine, threads: int) -> Loading | None:
    """Begin to load the engine while the caller goes on importing, where the engine says what its loading imports.

    Two threads must not import at once: under gevent their import locks may wait for each other for ever. So what the
    engine needs is imported here first. One that does not say what it needs, or whose modules are not all there, is not
    begun: its loading, later, says what is wrong.
    """
    modules = getattr(engine, "imports", ())
    try:
        for name in modules:
            import_module(name)
    except ImportError:
        return None
    return Loading(engine, threads) if modules else None
