"""Checks the backend of an engine every second, and counts its requests, while the event loop goes on."""

import logging

import gevent
from gevent.threadpool import ThreadPool

from tts_server.engines import Backend, BackendError
from tts_server.observability.backend_metrics import BackendMetrics
from tts_server.observability.metrics import Metrics

log = logging.getLogger(__name__)

_CHECK_SECONDS = 1.0
_COUNT_SECONDS = 1.0


class BackendWatch:
    """Checks on a native thread, and reports when the backend goes away and when it is back."""

    def __init__(self, backend: Backend, metrics: Metrics) -> None:
        """Begin to report. The backend is checked only from :meth:`begin_checks` on: before that, its engine does."""
        self._backend = backend
        self._metrics = metrics
        self._backend_metrics = BackendMetrics(
            metrics.registry, ready=lambda: not backend.problem, in_flight=lambda: backend.in_flight
        )
        self._pool = ThreadPool(1)
        self._checks = False
        self._reported = ""
        gevent.spawn(self._run)
        gevent.spawn(self._count)  # by itself, because a check may take seconds

    def begin_checks(self) -> None:
        """Begin to check."""
        self._checks = True

    def require(self) -> None:
        """Raise BackendError while the backend cannot speak."""
        if problem := self._backend.problem:
            raise BackendError(problem, away=True, retry_after=self._backend.retry_after)

    def _run(self) -> None:
        while True:
            if self._checks:
                try:
                    self._pool.spawn(self._backend.check).get()
                except Exception:  # without checks, a backend that is away would stay away
                    log.exception("the check of the backend failed")
            self._report(self._backend.problem)
            gevent.sleep(_CHECK_SECONDS)

    def _count(self) -> None:
        while True:
            for each in self._backend.take_requests():
                self._backend_metrics.ended(
                    each.outcome, first_seconds=each.first_seconds, seconds=each.seconds, retries=each.retries
                )
            gevent.sleep(_COUNT_SECONDS)

    def _report(self, problem: str) -> None:
        if self._checks:
            self._metrics.model_ready.set(0 if problem else 1)
        if problem and problem != self._reported:
            log.warning("the backend cannot speak", extra={"problem": problem})
        elif self._reported and not problem:
            log.info("the backend can speak")
        self._reported = problem
