"""The engine: ModelScope's text-to-speech pipeline, loaded by path and offline."""

import contextlib
import os
import re
import threading
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from tts_server.audio.pcm import Pcm
from tts_server.audio.time_stretch import time_stretch
from tts_server.engines.modelscope.folder import (
    Manifest,
    listed_voices,
    read_manifest,
    sample_rate,
    verify,
    writable_view,
)
from tts_server.engines.modelscope.symbols import EMOTIONS, with_emotion
from tts_server.engines.protocol import NEUTRAL, EngineError, NothingToSayError, Session, Voice
from tts_server.settings import Settings
from tts_server.text import Sentence, normalise, split_sentences

# Longer ones are slower to the first sound; Sambert's attention also grows with their square.
_MAX_SENTENCE_SYLLABLES = 40
_FULL_SCALE = 32767
_WARM_UP = "您好。"
_SPOKEN = re.compile(r"[A-Za-z]+|[\u3007\u3400-\u9fff\U00020000-\U0003ffff]")
_WORD = re.compile(r"[A-Za-z]+(?:[-'][A-Za-z]+)*|.", re.DOTALL)
_PLACEHOLDER = (
    "The package {name} that is installed is not ModelScope's, but an empty one of the same name. Build "
    "Dockerfile.modelscope with WHEELS, or install kantts and ttsfrd from ModelScope's own wheel index; see "
    "docs/server.md."
)


class ModelScope:
    """Sambert-HifiGAN with the voices of its folder, or those of TTS_VOICES."""

    name = "modelscope"
    emotions = tuple(EMOTIONS)

    def __init__(self, folder: Path, voices: tuple[str, ...] = ()) -> None:
        """Read what ``folder`` holds. Without ``voices`` all voices are offered. Raises EngineError."""
        self._folder = folder.resolve()
        self._manifest: Manifest = read_manifest(self._folder)
        self._names = _chosen(listed_voices(self._folder), voices)
        self.sample_rate = sample_rate(self._folder)
        self.revision = f"{self._manifest.model}@{self._manifest.revision}-{self._manifest.digest}"
        self._model: Any = None
        _list_fonts()
        # The front end is not known to be safe for several threads.
        self._front_end_lock = threading.Lock()

    @property
    def voices(self) -> tuple[Voice, ...]:
        """The voices, the default one first."""
        return tuple(Voice(id=name, name=name, language="zh-CN") for name in self._names)

    def load(self) -> None:
        """Check the files, load every voice and let it speak; raises :class:`EngineError`."""
        verify(self._folder, self._manifest)
        check_packages()
        self._model = _load_pipeline(writable_view(self._folder)).model
        if self._model.sample_rate != self.sample_rate:
            raise EngineError(f"The model speaks at {self._model.sample_rate} Hz, not at {self.sample_rate}.")
        session = self.open_session()
        for name in self._names:  # a voice is read from disk at its first sentence
            list(session.synthesise(Sentence(_WARM_UP, 2, 0.0), voice=name, speed=1.0, emotion=NEUTRAL))

    def plan(self, text: str) -> tuple[Sentence, ...]:
        """Normalise the text and split it into sentences; raises :class:`NothingToSayError`."""
        sentences = split_sentences(
            normalise(text), limit=_MAX_SENTENCE_SYLLABLES, count=_syllables, words=_WORD.findall
        )
        if not sentences:
            raise NothingToSayError("The text holds nothing that can be pronounced.")
        return tuple(sentences)

    def open_session(self) -> Session:
        """Return a session. The networks are shared: torch lets several threads run them at once."""
        if self._model is None:
            raise EngineError("The engine is not loaded.")
        return ModelScopeSession(self._model, self._front_end_lock, self.sample_rate)


def create(settings: Settings) -> ModelScope:
    """Return the engine for ``TTS_MODEL_DIR`` and ``TTS_VOICES``; raises EngineError."""
    if not settings.model_dir:
        raise EngineError("The modelscope engine needs TTS_MODEL_DIR, the folder that `tts-server fetch` filled.")
    return ModelScope(Path(settings.model_dir), settings.voices)


class ModelScopeSession:
    """Speaks by the genuine model's own methods, between which the emotion is set and the sound kept from clipping."""

    def __init__(self, model: Any, front_end_lock: threading.Lock, rate: int) -> None:
        self._model = model
        self._front_end_lock = front_end_lock
        self._rate = rate

    def synthesise(self, sentence: Sentence, *, voice: str, speed: float, emotion: str) -> Iterator[Pcm]:
        """Say the sentence. ``speed`` 2 is twice as fast, at the same pitch."""
        with self._front_end_lock:
            rows = self._model.frontend.gen_tacotron_symbols(sentence.text)
        parts = [np.zeros(0, np.float32)]
        for row in rows.splitlines():
            _, _, symbols = row.strip().partition("\t")
            if symbols:
                parts.append(self._model.synthesis_one_sentences(voice, with_emotion(symbols, emotion)))
        samples = time_stretch(np.concatenate(parts).astype(np.float32), speed, sample_rate=self._rate)
        # Clipped first: ModelScope's own conversion wraps a sample of full scale to the other sign, which clicks.
        yield np.rint(np.clip(samples, -1.0, 1.0) * _FULL_SCALE).astype(np.int16)


def check_packages() -> None:
    """Tell ModelScope's kantts and ttsfrd from the empty packages of these names; raises :class:`EngineError`."""
    try:
        import ttsfrd  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise EngineError(f"ttsfrd cannot be imported ({error}). " + _PLACEHOLDER.format(name="ttsfrd")) from error
    if not hasattr(ttsfrd, "TtsFrontendEngine"):
        raise EngineError(_PLACEHOLDER.format(name="ttsfrd"))
    try:
        import kantts.models  # noqa: F401, PLC0415 - an extra
    except ImportError as error:
        raise EngineError(f"{_PLACEHOLDER.format(name='kantts')} ({error})") from error


def _list_fonts() -> None:
    """Import the matplotlib that ModelScope imports (for training only), here and not in :meth:`ModelScope.load`.

    The first time it asks a subprocess for the system's fonts, and gevent's, which it then gets, works in the main
    thread only.
    """
    with contextlib.suppress(ImportError):
        import_module("matplotlib.font_manager")


def _load_pipeline(folder: Path) -> Any:
    # Set where a pod was made for training; ModelScope would wait for the others.
    for variable in ("WORLD_SIZE", "RANK", "LOCAL_RANK"):
        os.environ.pop(variable, None)
    try:
        import torch  # noqa: PLC0415 - an extra
        from modelscope.pipelines import pipeline  # noqa: PLC0415 - an extra, and three seconds

        torch.set_num_threads(1)  # parallelism comes from the sessions
        # An absolute path: a relative one with a slash is taken for an id of the hub.
        return pipeline("text-to-speech", model=str(folder), device="cpu")
    # It raises a class of its own for each thing that may be wrong with a model; to the user they are one.
    except Exception as error:
        raise EngineError(f"ModelScope cannot load the model: {type(error).__name__}: {error}") from error


def _chosen(there: list[str], wanted: tuple[str, ...]) -> tuple[str, ...]:
    unknown = [name for name in wanted if name not in there]
    if unknown:
        raise EngineError(f"TTS_VOICES names {', '.join(unknown)}, but the model has: {', '.join(there)}.")
    return wanted or tuple(there)


def _syllables(text: str) -> int:
    return len(_SPOKEN.findall(text))
