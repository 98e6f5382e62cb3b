"""Run gunicorn with one gevent worker, which listens at once and then loads the model."""

import contextlib
import gc
import logging
import os
import sys
from importlib import import_module
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import gunicorn.app.base
import gunicorn.glogging
from gunicorn.errors import HaltServer

from tts_server.observability.logs import logging_config
from tts_server.process.lifecycle import BEFORE_EXIT_SECONDS, Lifecycle, RunFolder, shared_memory_folder
from tts_server.settings import Settings, SettingsError

if TYPE_CHECKING:
    from tts_server.synthesis.loading import Loading

log = logging.getLogger(__name__)

_TERMINATION_LOG = Path("/dev/termination-log")
# gunicorn's master exits if a worker exits with this status. It restarts a worker that ends in any other way.
_BOOT_FAILED = 3
# 128 + SIGKILL, which Kubernetes recognises as a killed container.
_KILLED = 137
# Longer than the idle timeout of common proxies (nginx 60 s, AWS 60 s), so that the proxy closes the connection.
_KEEP_ALIVE_SECONDS = 75
# Noisy neighbours can starve the event loop for a while. This is only for a worker that hangs for good.
_HEARTBEAT_SECONDS = 60
# From the deadline of requests and jobs until gunicorn kills the worker.
_MARGIN_SECONDS = 5
# The largest limit that gunicorn offers. In a URL, a Chinese character takes 9 bytes.
REQUEST_LINE_BYTES = 8190


class Logger(gunicorn.glogging.Logger):  # type: ignore[misc] # gunicorn has no types
    """gunicorn's logger without its access log: api.instrumentation logs each request, at a lower cost."""

    def access(self, *_: Any) -> None:
        """Do nothing."""


class Server(gunicorn.app.base.BaseApplication):  # type: ignore[misc] # gunicorn has no types
    """gunicorn, configured by :class:`Settings` alone: no files, no command line, no GUNICORN_CMD_ARGS."""

    def __init__(self, settings: Settings, run_folder: RunFolder, *, work: bool) -> None:
        self._settings = settings
        self._work = work
        self._run_folder = run_folder
        super().__init__()

    def load_config(self) -> None:
        """Set gunicorn's options."""
        settings = self._settings
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        options: dict[str, Any] = {
            "bind": [f"{host}:{settings.port}"],
            "workers": 1,
            "worker_class": "tts_server.wsgi.worker.Worker",
            "worker_tmp_dir": str(shared_memory_folder()),
            "timeout": _HEARTBEAT_SECONDS,
            "graceful_timeout": ceil(max(settings.request_timeout_seconds, BEFORE_EXIT_SECONDS)) + _MARGIN_SECONDS,
            "keepalive": _KEEP_ALIVE_SECONDS,
            "limit_request_line": REQUEST_LINE_BYTES,
            "control_socket_disable": True,
            "logconfig_dict": logging_config(settings.log_level),
            "logger_class": Logger,
            "proc_name": "tts-server",
            "child_exit": _worker_exited,
            "on_exit": lambda _: self._run_folder.remove(),
        }
        for name, value in options.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        """Return the application. Runs in the worker, after gevent has patched the standard library."""
        import gevent  # noqa: PLC0415 - the master does not need it

        from tts_server.engines import create_engine, session_count  # noqa: PLC0415 - see above
        from tts_server.synthesis.loading import begin_early  # noqa: PLC0415 - see above

        # Objects created during the start live on, and collecting garbage takes a tenth of it. See _load_model.
        gc.disable()
        engine = create_engine(self._settings)
        loading = begin_early(engine, session_count(self._settings))
        # Flask and the rest are imported only now, while the networks compile.
        from tts_server.wsgi.app import create_app  # noqa: PLC0415 - see above

        lifecycle = Lifecycle(self._run_folder)
        try:
            app = create_app(self._settings, lifecycle=lifecycle, engine=engine, work=self._work)
        except SettingsError as error:  # only the parts themselves can tell whether these are right
            _fail(str(error))
        app.config["LIFECYCLE"] = lifecycle
        gevent.spawn(_load_model, app, lifecycle, loading, self._run_folder)
        return app


def serve(settings: Settings, *, work: bool = False) -> None:
    """Serve until SIGTERM. Does not return. A worker of jobs, which is to ``work``, only answers probes."""
    # Parallelism comes from our own threads. Without this, each library would start one thread per CPU of the machine.
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(variable, "1")
    run_folder = RunFolder(settings.port)
    run_folder.prepare()
    Server(settings, run_folder, work=work).run()


def _worker_exited(arbiter: Any, _: Any) -> None:
    """Exit with the worker unless the server is stopping, so that Kubernetes counts and reports the failure.

    gunicorn would restart the worker and hide from Kubernetes that the kernel killed it, as for its memory.
    """
    if arbiter.LISTENERS:  # gunicorn closes them first when it stops
        report_fatal(
            "worker killed. If it ran out of memory, raise resources.limits.memory or lower server.cache.sizeMiB."
        )
        raise HaltServer("worker killed", _KILLED)


def report_fatal(message: str) -> None:
    """Write why the process exits to standard error, as its last line, and to where Kubernetes reads it."""
    if _TERMINATION_LOG.is_file():
        with contextlib.suppress(OSError):
            _TERMINATION_LOG.write_text(message + "\n", encoding="utf-8")
    sys.stderr.write(f"tts-server: {message}\n")
    sys.stderr.flush()


def _fail(message: str) -> NoReturn:
    """End worker and master for a reason."""
    report_fatal(message)
    # Not sys.exit, which would end only this greenlet.
    os._exit(_BOOT_FAILED)


def _load_model(app: Any, lifecycle: Lifecycle, loading: "Loading | None", run_folder: RunFolder) -> None:
    from tts_server.api.context import context  # noqa: PLC0415 - not in the master
    from tts_server.engines import EngineError  # noqa: PLC0415 - not in the master
    from tts_server.lexicon.file import LexiconFile  # noqa: PLC0415 - not in the master
    from tts_server.synthesis.service_lexicon import ServiceLexicon  # noqa: PLC0415 - not in the master

    try:
        # The encoders' library, imported here because two threads must not import it at the same time.
        import_module("av")
        with app.app_context():
            ctx = context()
        ctx.service.load(loading)
        if ctx.settings.lexicon:
            file = LexiconFile(Path(ctx.settings.lexicon))
            ServiceLexicon(file, ctx.service, ctx.metrics).watch()
        if ctx.jobs:
            from tts_server.api.jobs.messages import job_messages  # noqa: PLC0415 - only where there are jobs
            from tts_server.api.jobs.views import event  # noqa: PLC0415 - see above

            ctx.jobs.start(run_folder.in_hand, lifecycle, event, job_messages(ctx, ctx.jobs).accept, _fail)
    except Exception as error:
        log.exception("cannot load the model")
        known = isinstance(error, EngineError | SettingsError)
        _fail(str(error) if known else f"Cannot load the model: {type(error).__name__}: {error}")
    # The front end's dictionaries live as long as the process. Scanning them at each full collection would stop the
    # event loop for tens of milliseconds. No collection before: it takes a twentieth of the start to find 500 objects.
    gc.freeze()
    gc.enable()
    lifecycle.loaded()
    log.info("ready", extra={"engine": ctx.service.engine.name, "revision": ctx.service.engine.revision})
