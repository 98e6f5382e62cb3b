"""The engine: another server's speech, behind our text front end."""

import hashlib
import json
import ssl
import time
from collections.abc import Callable
from dataclasses import asdict
from functools import partial

from tts_server import __version__
from tts_server.engines.backend.api_key import read_api_key
from tts_server.engines.backend.availability import Availability
from tts_server.engines.backend.checking import CheckedBackend
from tts_server.engines.backend.requests import RequestRecorder, unnoted
from tts_server.engines.protocol import (
    BackendError,
    BackendRefusedError,
    EngineError,
    NothingToSayError,
    Session,
    Voice,
)
from tts_server.engines.upstream.connection import Address, Connection
from tts_server.engines.upstream.requests import SpeechRequests, check_sentence, emotions
from tts_server.engines.upstream.session import UpstreamSession
from tts_server.engines.upstream.text import syllables, words
from tts_server.settings import Settings
from tts_server.settings.upstream import UpstreamSettings, UpstreamVoice
from tts_server.text import Sentence, plan_sentences
from tts_server.text.script import Script

_SPEECH_PATH = "/audio/speech"
_SUCCESS = range(200, 300)
# What a server that starts may answer. All others mean that the path is wrong.
_NOT_READY = (408, 425, 429, *range(500, 600))
_ATTEMPTS = 3
# Change it with what this package does to text and sound.
_VERSION = 1
# These decide nothing about the sound.
_SILENT_SETTINGS = (
    "api_key",
    "api_key_file",
    "ca_file",
    "ready_path",
    "ready_seconds",
    "connect_seconds",
    "first_byte_seconds",
    "idle_seconds",
)


class Upstream:
    """A server with OpenAI's speech API, with the voices that the settings map to its own."""

    name = "upstream"
    syllables = ()  # the upstream decides every reading

    def __init__(self, settings: UpstreamSettings, *, default_voice: str = "") -> None:
        """``default_voice`` is the one with which the upstream is checked; if empty, the first. Raises EngineError."""
        if not settings.url:
            raise EngineError("The upstream engine needs TTS_UPSTREAM_URL, such as http://kokoro:8880/v1.")
        if not settings.voices:
            raise EngineError("The upstream engine needs TTS_UPSTREAM_VOICES, the names of the upstream's voices.")
        self._settings = settings
        self._address = Address.of(settings.url)
        self._tls = _tls(settings) if self._address.secure else None
        self._requests = SpeechRequests(settings)
        self.sample_rate = settings.sample_rate
        self.emotions = emotions(settings)
        self.revision = _revision(settings)
        self.voices = tuple(Voice(each.id, each.name or each.id, each.language) for each in settings.voices)
        first = next((each for each in settings.voices if each.id == default_voice), settings.voices[0])
        self._voices = (first, *(each for each in settings.voices if each is not first))
        self._availability = Availability()
        # While the upstream is away, only a check may wait for it.
        self._checks = self._new_session(lambda: False, unnoted(), quotes=True)
        self.backend = CheckedBackend(self._availability, ask=self._ask, speak=partial(self._speak, first))

    def load(self) -> None:
        """Wait for the upstream, and let it speak with every voice. Raises :class:`EngineError`."""
        self._key()
        self.backend.wait()
        for voice in self._voices[1:]:
            self._check_voice(voice)

    def plan(self, script: Script) -> tuple[Sentence, ...]:
        """Normalise the text and split it into sentences. Raises :class:`NothingToSayError`."""
        sentences = plan_sentences(script, limit=self._settings.sentence_syllables, count=syllables, words=words)
        if not sentences:
            raise NothingToSayError("The text contains nothing that can be pronounced.")
        return tuple(sentences)

    def words(self, text: str) -> list[str]:
        """Split text between its words, and Chinese between its characters."""
        return words(text)

    def pronounce(self, _: Sentence) -> None:
        """Return None: the upstream does not tell its readings."""
        return

    def open_session(self) -> Session:
        """Return a session. It connects when it is first used."""
        return self._new_session(lambda: self._availability.silent, self.backend.requests.recorder())

    def _new_session(
        self, given_up: Callable[[], bool], recorder: RequestRecorder, *, quotes: bool = False
    ) -> UpstreamSession:
        return UpstreamSession(
            self._settings,
            self._requests,
            self._new_connection(given_up),
            self._availability,
            recorder,
            path=self._address.path + _SPEECH_PATH,
            headers=self._headers,
            quotes=quotes,
        )

    def _new_connection(self, given_up: Callable[[], bool]) -> Connection:
        return Connection(
            self._address, connect_seconds=self._settings.connect_seconds, given_up=given_up, tls=self._tls
        )

    def _headers(self) -> list[tuple[str, str]]:
        headers = [("User-Agent", f"tts-server/{__version__}"), ("Content-Type", "application/json"), ("Accept", "*/*")]
        key = self._key()
        return [*headers, ("Authorization", f"Bearer {key}")] if key else headers

    def _key(self) -> str:
        """Return the API key, empty if none is needed. Raises BackendRefusedError if it cannot be used."""
        return read_api_key(self._settings.api_key, self._settings.api_key_file, variable="TTS_UPSTREAM_API_KEY")

    def _ask(self) -> None:
        """Ask the upstream's readiness path. Raises BackendError and BackendRefusedError."""
        path, seconds = self._settings.ready_path, self._settings.ready_seconds
        connection = self._new_connection(lambda: False)
        try:
            response = connection.request("GET", path, self._headers(), first_by=time.monotonic() + seconds)
        finally:
            connection.close()
        if response.status in _SUCCESS:
            return
        if response.status in _NOT_READY:
            raise BackendError(f"The upstream answers GET {path} with status {response.status}.", away=True)
        raise BackendRefusedError(
            f"The upstream answers GET {path} with status {response.status}. Set TTS_UPSTREAM_READY_PATH to the path "
            "that says whether it is ready."
        )

    def _speak(self, voice: UpstreamVoice) -> None:
        """Let the upstream speak with a voice, and check the sound. Raises BackendError and BackendRefusedError."""
        for _ in self._checks.received(check_sentence(voice.id, voice.language)):
            pass

    def _check_voice(self, voice: UpstreamVoice) -> None:
        problem = ""
        for _ in range(_ATTEMPTS):
            try:
                self._speak(voice)
            except (BackendError, BackendRefusedError) as error:
                problem = str(error)
                if isinstance(error, BackendRefusedError):
                    break
                self.backend.wait()
            else:
                return
        raise EngineError(
            f"The upstream does not speak with its voice {voice.theirs!r}, which is {voice.id!r} in "
            f"TTS_UPSTREAM_VOICES: {problem}"
        )


def _tls(settings: UpstreamSettings) -> ssl.SSLContext:
    """Return a context with the certificates that the upstream's must be signed by. Raises EngineError."""
    try:
        return ssl.create_default_context(cafile=settings.ca_file or None)
    except OSError:
        raise EngineError(
            f"TTS_UPSTREAM_CA_FILE names {settings.ca_file!r}, which is no PEM file with certificates."
        ) from None


def create(settings: Settings) -> Upstream:
    """Return the engine for the ``TTS_UPSTREAM_*`` variables; raises EngineError."""
    return Upstream(settings.upstream, default_voice=settings.default_voice)


def _revision(settings: UpstreamSettings) -> str:
    """Return a name for all that decides the sound, as far as the settings tell."""
    given = {name: value for name, value in asdict(settings).items() if name not in _SILENT_SETTINGS}
    digest = hashlib.sha256(json.dumps([_VERSION, given], sort_keys=True).encode()).hexdigest()[:12]
    return f"{settings.revision or settings.model}-{digest}"
