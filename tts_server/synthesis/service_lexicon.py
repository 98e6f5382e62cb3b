"""Keep the lexicon of the service as its file is, while the server runs."""

import logging
from importlib import import_module

import gevent

from tts_server.lexicon import Lexicon, LexiconError
from tts_server.lexicon.file import LexiconFile
from tts_server.observability.metrics import Metrics
from tts_server.synthesis.service import SpeechService
from tts_server.text.normalise import to_simplified

# The kubelet takes up to a minute to bring a change of a ConfigMap; a few seconds more do not matter.
POLL_SECONDS = 2.0

log = logging.getLogger(__name__)


class ServiceLexicon:
    """Brings the file's entries into the service. A file that is wrong changes nothing."""

    def __init__(self, file: LexiconFile, service: SpeechService, metrics: Metrics) -> None:
        self._file = file
        self._service = service
        self._metrics = metrics

    def watch(self) -> None:
        """Read the file now, and from then on whenever it changes, in the background."""
        # Two threads must not import at the same time: under gevent, their import locks can deadlock.
        import_module("yaml")
        to_simplified("一")
        self.refresh()
        gevent.spawn(self._follow)

    def refresh(self) -> None:
        """Read the file. The event loop keeps running."""
        path = str(self._file.path)
        lexicon = gevent.get_hub().threadpool.apply(self._read)
        if isinstance(lexicon, Exception):
            log.error("lexicon not loaded, the last one stays in use", extra={"path": path, "error": str(lexicon)})
            self._metrics.lexicon_reloads.labels("failure").inc()
            self._metrics.lexicon_last_reload_successful.set(0)
            return
        self._service.lexicon = lexicon
        self._metrics.lexicon_reloads.labels("success").inc()
        self._metrics.lexicon_last_reload_successful.set(1)
        self._metrics.lexicon_entries.set(len(lexicon.entries))
        log.info("lexicon loaded", extra={"path": path, "entries": len(lexicon.entries), "digest": lexicon.digest})

    def _read(self) -> Lexicon | Exception:
        """Return the lexicon or what is wrong with it. On a thread, where gevent would print what is raised."""
        try:
            return self._file.read(self._service.engine.syllables)
        except (LexiconError, OSError) as error:
            return error

    def _follow(self) -> None:
        while True:
            gevent.sleep(POLL_SECONDS)
            if self._file.changed():
                self.refresh()
