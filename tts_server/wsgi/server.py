"""Run the server: gunicorn with one gevent worker, which loads the model once it listens."""

import contextlib
import gc
import logging
import os
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gunicorn.app.base
import gunicorn.glogging
from gunicorn.errors import HaltServer

from tts_server.observability.logs import logging_config
from tts_server.process.lifecycle import Lifecycle, RunFolder, shared_memory_folder
from tts_server.settings import Settings

if TYPE_CHECKING:
    from tts_server.synthesis.loading import Loading

log = logging.getLogger(__name__)

_TERMINATION_LOG = Path("/dev/termination-log")
# gunicorn's master ends, with this status, when a worker ends with it; any other death restarts the worker.
_BOOT_FAILED = 3
# 128 + SIGKILL, by which Kubernetes knows a container that was killed.
_KILLED = 137
# Longer than the idle time of the usual proxies (nginx 60 s, AWS 60 s): they must be the ones to close.
_KEEP_ALIVE_SECONDS = 75
# The hub may be starved by noisy neighbours for a while; this is only for one that hangs for good.
_HEARTBEAT_SECONDS = 60
_AFTER_REQUEST_SECONDS = 5


class Logger(gunicorn.glogging.Logger):  # type: ignore[misc] # gunicorn has no types
    """gunicorn's, without the access log: api.requests tells of the requests, and gathering its fields takes time."""

    def access(self, *_: Any) -> None:
        """Nothing."""


class Server(gunicorn.app.base.BaseApplication):  # type: ignore[misc] # gunicorn has no types
    """gunicorn, configured from :class:`Settings` alone: no files, no command line, no GUNICORN_CMD_ARGS."""

    def __init__(self, settings: Settings, run_folder: RunFolder) -> None:
        self._settings = settings
        self._run_folder = run_folder
        super().__init__()

    def load_config(self) -> None:
        """Set what gunicorn needs to know."""
        settings = self._settings
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        options: dict[str, Any] = {
            "bind": [f"{host}:{settings.port}"],
            "workers": 1,
            "worker_class": "tts_server.wsgi.worker.Worker",
            "worker_tmp_dir": str(shared_memory_folder()),
            "timeout": _HEARTBEAT_SECONDS,
            "graceful_timeout": int(settings.request_timeout_seconds) + _AFTER_REQUEST_SECONDS,
            "keepalive": _KEEP_ALIVE_SECONDS,
            "control_socket_disable": True,
            "logconfig_dict": logging_config(settings.log_level),
            "logger_class": Logger,
            "proc_name": "tts-server",
            "child_exit": _worker_ended,
            "on_exit": lambda _: self._run_folder.remove(),
        }
        for name, value in options.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        """Make the application, in the worker, after gevent has patched the standard library."""
        import gevent  # noqa: PLC0415 - not in the master, which needs none of it

        from tts_server.engines import create_engine  # noqa: PLC0415 - see above
        from tts_server.process.cpu import cpu_limit  # noqa: PLC0415 - see above
        from tts_server.synthesis.loading import begin_early  # noqa: PLC0415 - see above

        # What is made while starting stays: to look for garbage in it costs a tenth of the start. See _load_model.
        gc.disable()
        engine = create_engine(self._settings)
        loading = begin_early(engine, self._settings.threads or cpu_limit())
        # Only now what imports Flask and all that: the networks are compiled meanwhile.
        from tts_server.wsgi.app import create_app  # noqa: PLC0415 - see above

        lifecycle = Lifecycle(self._run_folder)
        app = create_app(self._settings, lifecycle=lifecycle, engine=engine)
        app.config["LIFECYCLE"] = lifecycle
        gevent.spawn(_load_model, app, lifecycle, loading)
        return app


def serve(settings: Settings) -> None:
    """Serve until SIGTERM; does not return."""
    # The graphs and numpy get their parallelism from our threads; without this each would start one per machine CPU.
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(variable, "1")
    run_folder = RunFolder(settings.port)
    run_folder.prepare()
    Server(settings, run_folder).run()


def _worker_ended(arbiter: Any, _: Any) -> None:
    """End with the worker, unless this is the stop: a container that ends is counted, told of and restarted.

    gunicorn's own restart would hide from Kubernetes that the kernel has killed the worker for its memory.
    """
    if arbiter.LISTENERS:  # a stop begins by closing them
        report_fatal(
            "the worker was killed; if for its memory: raise resources.limits.memory or lower server.cache.sizeMiB"
        )
        raise HaltServer("the worker was killed", _KILLED)


def report_fatal(message: str) -> None:
    """Say why the process ends: as the last line of standard error, and where Kubernetes reads it."""
    if _TERMINATION_LOG.is_file():
        with contextlib.suppress(OSError):
            _TERMINATION_LOG.write_text(message + "\n", encoding="utf-8")
    sys.stderr.write(f"tts-server: {message}\n")
    sys.stderr.flush()


def _load_model(app: Any, lifecycle: Lifecycle, loading: "Loading | None") -> None:
    from tts_server.api.context import context  # noqa: PLC0415 - not in the master
    from tts_server.engines import EngineError  # noqa: PLC0415 - not in the master

    try:
        # The encoders' library, here and not on the threads that use it: two of them must not import it at once.
        import_module("av")
        with app.app_context():
            here = context()
        here.service.load(loading)
    except Exception as error:
        log.exception("the model cannot be loaded")
        known = isinstance(error, EngineError)
        report_fatal(str(error) if known else f"The model cannot be loaded: {type(error).__name__}: {error}")
        # Not sys.exit: this is a greenlet beside the one that serves, and the whole process has to end.
        os._exit(_BOOT_FAILED)
    # The front end's dictionaries stay for good: looking through them at each full collection would stop the event loop
    # for tens of milliseconds. Not collected before: that costs a twentieth of the start, and finds 500 small objects.
    gc.freeze()
    gc.enable()
    lifecycle.loaded()
    log.info("ready", extra={"engine": here.service.engine.name, "revision": here.service.engine.revision})
