"""The interface between the server and an engine."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

from tts_server.audio.pcm import Pcm
from tts_server.text.script import Script
from tts_server.text.sentences import Sentence
from tts_server.timing.alignment import Alignment


class EngineError(RuntimeError):
    """The engine cannot load or cannot speak. The message says why, and what to do."""


class UnknownEngineError(EngineError):
    """No engine with this name is installed."""


class BackendError(EngineError):
    """The backend of an engine is away, or what it sent is not all of the speech. Another attempt may succeed.

    The message is for the log. ``away`` says that the backend speaks nothing now, whatever the text. ``retry_after`` is
    in whole seconds, at least 1.
    """

    def __init__(self, message: str, *, away: bool = False, retry_after: int = 1) -> None:
        super().__init__(message)
        self.away = away
        self.retry_after = retry_after


class BackendBusyError(BackendError):
    """The backend has too much to do. That says nothing against it."""


class InvalidAudioError(BackendError):
    """What the backend sent is not the speech. The text may be the cause."""


class BackendRefusedError(EngineError):
    """The backend does not speak this text, or not in this way. Another attempt would get the same answer."""


class NothingToSayError(ValueError):
    """The text contains nothing that can be pronounced."""


@dataclass(frozen=True, slots=True)
class Voice:
    """A voice as ``/v1/audio/voices`` lists it. ``language`` is a BCP 47 tag."""

    id: str
    name: str
    language: str


@dataclass(frozen=True, slots=True)
class SpokenSyllable:
    """One syllable as the engine will say it."""

    text: str
    """What it stands for in the sentence. Empty for all but the first syllable of several, as of a letter's name."""
    pinyin: str
    """With the tone as spoken: 你 in 你好 is ``ni2``. A final r is erhua: ``wanr2``."""
    phonemes: tuple[str, ...]
    """The names that the model gives to its sounds."""
    origin: str
    """What decided on this reading: a span's origin, or a name that the engine chooses."""


class Session(Protocol):
    """The working memory of an engine. Only one thread may use it at a time."""

    def synthesise(self, sentence: Sentence) -> Iterator[Pcm]:
        """Yield the sentence as mono samples at the engine's rate, without the pause that follows.

        Yield one chunk or more, each as soon as it is ready, so that a client can hear the first one early. The voice
        and the emotion of the sentence's delivery are among those that the engine lists, and the sentence has a
        syllable.
        """
        ...


@runtime_checkable
class AligningSession(Session, Protocol):
    """A session that knows when each word sounds. The server offers timestamps if all sessions of its engine do."""

    def synthesise_aligned(self, sentence: Sentence) -> tuple[Alignment, Iterator[Pcm]]:
        """Return when each word sounds, and the samples as :meth:`synthesise` yields them.

        The alignment has as many samples as the chunks have in total.
        """
        ...


class Engine(Protocol):
    """A model and its front end. Several threads may use it at the same time once it is loaded.

    It may also have ``imports``, a tuple with the names of all modules that :meth:`load` and :meth:`open_session`
    import. The server then starts faster, because it loads the engine while it imports its own modules.
    """

    @property
    def name(self) -> str:
        """The name of the engine, as in ``TTS_ENGINE``."""
        ...

    @property
    def revision(self) -> str:
        """Identifies weights and front end. It is part of every cache key: change it whenever the audio changes."""
        ...

    @property
    def sample_rate(self) -> int:
        """The sample rate in Hz."""
        ...

    @property
    def voices(self) -> tuple[Voice, ...]:
        """All voices, the default one first."""
        ...

    @property
    def emotions(self) -> tuple[str, ...]:
        """The emotions that every voice can speak with, ``neutral`` first."""
        ...

    @property
    def syllables(self) -> Collection[str]:
        """The syllables, without tone (``hang``), that a script may pin. Empty before :meth:`load`.

        It stays empty if the front end has readings of its own; such an engine never gets a run with ``pinyin``.
        """
        ...

    def load(self) -> None:
        """Read the model from disk. Takes seconds, so it runs outside the event loop. Raises :class:`EngineError`."""
        ...

    def plan(self, script: Script) -> tuple[Sentence, ...]:
        """Normalise the text and split it into sentences, in milliseconds. Raises :class:`NothingToSayError`.

        :func:`tts_server.text.plan_sentences` does this for an engine that counts syllables and splits words.
        """
        ...

    def words(self, text: str) -> list[str]:
        """Split text between its words. Joined, they are the text. Each character by itself if words are not known."""
        ...

    def pronounce(self, sentence: Sentence) -> tuple[SpokenSyllable | None, ...] | None:
        """Return the syllables of a sentence of :meth:`plan` in order, None for a short pause.

        Return None instead of a tuple if the front end does not tell.
        """
        ...

    def open_session(self) -> Session:
        """Return a session, warmed up so that its memory hardly grows afterwards.

        Several threads open sessions at the same time.
        """
        ...


Outcome = Literal["success", "failed", "invalid_audio", "busy", "refused"]
"""What a request to a backend came to. ``failed`` is no answer, a part of one, or an error."""


@dataclass(frozen=True, slots=True)
class BackendRequest:
    """A sentence that a backend was asked for, once that has ended."""

    outcome: Outcome
    first_seconds: float
    """From its beginning to the first samples; to its end if none came."""
    seconds: float
    """From its beginning to its end."""
    retries: int = 0
    """How often it was sent again."""


class Backend(Protocol):
    """What makes the sound for an engine outside of this process, such as another server."""

    @property
    def problem(self) -> str:
        """Why it cannot speak now, in a sentence. Empty while it can."""
        ...

    @property
    def retry_after(self) -> int:
        """The whole seconds that a client should wait while there is a problem, at least 1."""
        ...

    @property
    def in_flight(self) -> int:
        """The number of requests of sessions that are under way."""
        ...

    def take_requests(self) -> Sequence[BackendRequest]:
        """Return the requests of sessions that have ended since the last call. Checks are not among them."""
        ...

    def check(self) -> None:
        """Ask the backend whether it can speak, and take note of the answer in :attr:`problem`.

        May take seconds, so it runs outside the event loop. Raises nothing that says that the backend is away.
        """
        ...


@runtime_checkable
class BackedEngine(Engine, Protocol):
    """An engine whose sound is made by a backend. The server checks it every second, and is ready only while it is.

    :meth:`load` waits for the backend, however long that takes. Sessions raise :class:`BackendError` and
    :class:`BackendRefusedError`.
    """

    @property
    def backend(self) -> Backend:
        """The backend."""
        ...
