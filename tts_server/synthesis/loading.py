"""Load an engine on native threads while the event loop, and the rest of the start, goes on."""

import time
from collections.abc import Sequence
from importlib import import_module

from gevent.monkey import get_original
from gevent.threadpool import ThreadPool

from tts_server.engines import Engine, Session


class Loading:
    """Loads the engine and opens its sessions, beginning at once.

    Most of the work is to compile and warm up networks, outside the GIL. Begun early, it does not delay the start.
    """

    def __init__(self, engine: Engine, threads: int) -> None:
        self._engine = engine
        self._pool = ThreadPool(threads)
        self.began = time.monotonic()
        self._loaded = False
        # A native lock: gevent's would need the event loop, which does not run while the main thread imports.
        self._loading = get_original("_thread", "allocate_lock")()
        self._loading.acquire()
        self._opening = [self._pool.spawn(self._load_and_open)]
        self._opening += [self._pool.spawn(self._open_when_loaded) for _ in range(threads - 1)]

    def _load_and_open(self) -> Session:
        try:
            self._engine.load()
            self._loaded = True
        finally:
            self._loading.release()
        return self._engine.open_session()

    def _open_when_loaded(self) -> Session | None:
        with self._loading:
            pass
        return self._engine.open_session() if self._loaded else None

    def sessions(self) -> Sequence[Session]:
        """Wait for one session per thread. Raises what the engine raises, usually EngineError."""
        try:
            opened = [each.get() for each in self._opening]
        finally:
            self._pool.kill()
        return [each for each in opened if each is not None]


def begin_early(engine: Engine, threads: int) -> Loading | None:
    """Begin to load the engine while the caller still imports modules, if the engine declares its own imports.

    Two threads must not import at the same time: under gevent, their import locks can deadlock. So the engine's modules
    are imported here first. If the engine declares none, or one is missing, return None; a later loading reports what
    is wrong.
    """
    modules = getattr(engine, "imports", ())
    try:
        for name in modules:
            import_module(name)
    except ImportError:
        return None
    return Loading(engine, threads) if modules else None
