"""What the server asks of an engine."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from tts_server.audio.pcm import Pcm
from tts_server.text.sentences import Sentence

NEUTRAL = "neutral"


class EngineError(RuntimeError):
    """The engine cannot load or cannot speak; the message says why and what to do."""


class UnknownEngineError(EngineError):
    """No engine of that name is installed."""


class NothingToSayError(ValueError):
    """The text holds nothing that can be pronounced."""


@dataclass(frozen=True, slots=True)
class Voice:
    """A voice as ``/v1/audio/voices`` lists it; ``language`` is a BCP 47 tag."""

    id: str
    name: str
    language: str


class Session(Protocol):
    """An engine's working memory. One thread at a time may use it."""

    def synthesise(self, sentence: Sentence, *, voice: str, speed: float, emotion: str) -> Iterator[Pcm]:
        """Say the sentence: mono samples at the engine's rate, without the pause after it.

        In one piece or more, each as soon as it is made: a listener hears the first while the next is made.
        ``voice`` and ``emotion`` are ones that the engine lists; ``speed`` is from 0.25 to 4.
        """
        ...


class Engine(Protocol):
    """A loaded model and its front end; safe to share between threads once loaded.

    It may also have ``imports``, a tuple with the names of all modules that :meth:`load` and :meth:`open_session`
    import: then the server starts faster, since it loads the engine while it imports its own.
    """

    @property
    def name(self) -> str:
        """The engine's name, as in ``TTS_ENGINE``."""
        ...

    @property
    def revision(self) -> str:
        """What changes the sound: weights and front end. A part of every cache key."""
        ...

    @property
    def sample_rate(self) -> int:
        """Samples a second."""
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
        """Read the model from disk. Takes seconds, so it runs outside the event loop; raises :class:`EngineError`."""
        ...

    def plan(self, text: str) -> tuple[Sentence, ...]:
        """Normalise and split the text, in milliseconds; raises :class:`NothingToSayError`."""
        ...

    def open_session(self) -> Session:
        """Make a session with its own interpreters, warmed, so that its memory will not grow much any more.

        Sessions are opened on several threads at once.
        """
        ...
