"""The interface between the server and an engine."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from tts_server.audio.pcm import Pcm
from tts_server.text.delivery import Delivery
from tts_server.text.sentences import Sentence
from tts_server.timing.alignment import Alignment


class EngineError(RuntimeError):
    """The engine cannot load or cannot speak. The message says why, and what to do."""


class UnknownEngineError(EngineError):
    """No engine with this name is installed."""


class NothingToSayError(ValueError):
    """The text contains nothing that can be pronounced."""


@dataclass(frozen=True, slots=True)
class Voice:
    """A voice as ``/v1/audio/voices`` lists it. ``language`` is a BCP 47 tag."""

    id: str
    name: str
    language: str


class Session(Protocol):
    """The working memory of an engine. Only one thread may use it at a time."""

    def synthesise(self, sentence: Sentence) -> Iterator[Pcm]:
        """Yield the sentence as mono samples at the engine's rate, without the pause that follows.

        Yield one chunk or more, each as soon as it is ready, so that a client can hear the first one early. The voice
        and the emotion of the sentence's delivery are among those that the engine lists.
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

    def load(self) -> None:
        """Read the model from disk. Takes seconds, so it runs outside the event loop. Raises :class:`EngineError`."""
        ...

    def plan(self, text: str, delivery: Delivery) -> tuple[Sentence, ...]:
        """Normalise the text and split it into sentences, in milliseconds. Raises :class:`NothingToSayError`."""
        ...

    def open_session(self) -> Session:
        """Return a session, warmed up so that its memory hardly grows afterwards.

        Several threads open sessions at the same time.
        """
        ...
