"""The voices of ``modelscope``, whose networks a Triton runs. The front end stays here."""

from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt

from tts_server.audio.pcm import Pcm
from tts_server.engines.backend.availability import Availability
from tts_server.engines.backend.checking import CheckedBackend
from tts_server.engines.backend.requests import RequestRecorder, unnoted
from tts_server.engines.modelscope.engine import ModelScope, ModelScopeSession
from tts_server.engines.protocol import BackendError, EngineError, Session
from tts_server.engines.triton.checked import CheckedSession
from tts_server.engines.triton.contract import SAMBERT, Array
from tts_server.engines.triton.remote import Caller, Model, RemoteModels
from tts_server.settings.triton import TritonSettings
from tts_server.text import Sentence
from tts_server.text.delivery import Delivery

_TEST, _TEST_SYLLABLES = "您好,这是一次语音检查", 10
_NOT_LOADED = "not-loaded"
_ATTEMPTS = 3


class RemoteSambert:
    """Takes the place of ModelScope's model: its own front end, and networks in a Triton."""

    def __init__(self, front_end: Any, caller: Caller, models: Callable[[], tuple[Model, ...]]) -> None:
        """``models`` returns the one model."""
        self.frontend = front_end
        self._caller = caller
        self._models = models

    def synthesis_one_sentences(self, voice: str, symbols: str) -> npt.NDArray[np.float32]:
        """Return the samples of a row of symbols, from -1 to 1. Raises BackendError and its kin."""
        [model] = self._models()
        samples: npt.NDArray[np.float32]
        samples = self._caller.ask(model, {"voice": _text(voice), "symbols": _text(symbols)})["samples"].copy()
        return samples


class SambertSession(CheckedSession):
    """Speaks one sentence at a time."""

    def __init__(
        self,
        model: RemoteSambert,
        front_end_lock: Lock,
        availability: Availability,
        recorder: RequestRecorder,
        *,
        sample_rate: int,
    ) -> None:
        super().__init__(availability, recorder, sample_rate)
        self._session = ModelScopeSession(model, front_end_lock, sample_rate)

    def synthesise(self, sentence: Sentence) -> Iterator[Pcm]:
        """Yield the samples of the sentence. Raises BackendError and its kin."""
        with self._recorder.request():
            yield from self._checked(sentence, self._session.synthesise(sentence))


class TritonSambert(ModelScope):
    """Sambert-HifiGAN in a Triton, with all voices of its folder, or the selected ones."""

    name = "triton"

    def __init__(self, settings: TritonSettings, folder: Path, voices: tuple[str, ...] = ()) -> None:
        """``folder`` is the one that Triton's model was written from. Connects to nothing. Raises EngineError."""
        super().__init__(folder, voices)
        self._remote = RemoteModels(settings, [(settings.sambert_model, SAMBERT)])
        self.backend = CheckedBackend(self._remote.availability, ask=self._remote.ask, speak=self._speak)

    @property
    def revision(self) -> str:
        """The folder, and the weights as Triton's repository names them, once that is known."""
        return "-".join((super().revision, *(self._remote.revisions or (_NOT_LOADED,))))

    def load(self) -> None:
        """Read the front end, wait for Triton, and let it speak with each voice. Raises :class:`EngineError`."""
        self.load_model()
        self.backend.wait()
        for voice in self.voices[1:]:
            self._check_voice(voice.id)

    def open_session(self) -> Session:
        """Return a session with a connection of its own."""
        return self._new_session(self._remote.caller(), self.backend.requests.recorder())

    def _new_session(self, caller: Caller, recorder: RequestRecorder) -> SambertSession:
        model = RemoteSambert(self.model.frontend, caller, self._remote.loaded)
        availability = self._remote.availability
        return SambertSession(model, self._front_end_lock, availability, recorder, sample_rate=self.sample_rate)

    def _speak(self, voice: str = "") -> None:
        """Let Triton speak a sentence, and check the sound. Raises BackendError and its kin."""
        session = self._new_session(self._remote.for_checks(), unnoted())
        for _ in session.synthesise(Sentence(_TEST, _TEST_SYLLABLES, 0.0, Delivery(voice or self.voices[0].id))):
            pass

    def _check_voice(self, voice: str) -> None:
        problem = ""
        for _ in range(_ATTEMPTS):
            try:
                self._speak(voice)
            except BackendError as error:
                problem = str(error)
                self.backend.wait()
            else:
                return
        raise EngineError(f"Triton does not speak with the voice {voice!r}: {problem}")


def _text(text: str) -> Array:
    return np.array([text.encode()], dtype=np.object_)
