"""The engine: ModelScope's text-to-speech pipeline, loaded from a folder, offline."""

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
from tts_server.audio.resampling import transpose
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
from tts_server.engines.protocol import EngineError, NothingToSayError, Session, Voice
from tts_server.settings import Settings
from tts_server.text import Sentence, plan_sentences
from tts_server.text.delivery import Delivery
from tts_server.text.script import Script

# Longer sentences delay the first audio, and the cost of Sambert's attention grows with the square of the length.
_MAX_SENTENCE_SYLLABLES = 40
_FULL_SCALE = 32767
_WARM_UP = "您好。"
_SPOKEN = re.compile(r"[A-Za-z]+|[\u3007\u3400-\u9fff\U00020000-\U0003ffff]")
_WORD = re.compile(r"[A-Za-z]+(?:[-'][A-Za-z]+)*|.", re.DOTALL)
_PLACEHOLDER = (
    "The installed package {name} is not ModelScope's but a placeholder with the same name. Build "
    "Dockerfile.modelscope with WHEELS, or install kantts and ttsfrd from ModelScope's own wheel index. See "
    "docs/server.md."
)


class ModelScope:
    """Sambert-HifiGAN with all voices of its folder, or the selected ones."""

    name = "modelscope"
    syllables = ()  # the front end decides every reading
    emotions = tuple(EMOTIONS)

    def __init__(self, folder: Path, voices: tuple[str, ...] = ()) -> None:
        """Read what ``folder`` holds. Without ``voices`` all voices are offered. Raises EngineError."""
        self._folder = folder.resolve()
        self._manifest: Manifest = read_manifest(self._folder)
        self._names = _selected(listed_voices(self._folder), voices)
        self.sample_rate = sample_rate(self._folder)
        self._model: Any = None
        _list_fonts()
        # Nothing says that the front end is thread-safe.
        self._front_end_lock = threading.Lock()

    @property
    def revision(self) -> str:
        """The model's id and revision on the hub, and a digest of its files."""
        return f"{self._manifest.model}@{self._manifest.revision}-{self._manifest.digest}"

    @property
    def voices(self) -> tuple[Voice, ...]:
        """The voices, the default one first."""
        return tuple(Voice(id=name, name=name, language="zh-CN") for name in self._names)

    def load(self) -> None:
        """Verify the files, load every voice and speak with it once. Raises :class:`EngineError`."""
        self.load_model()
        session = self.open_session()
        for name in self._names:  # a voice is read from disk with its first sentence
            list(session.synthesise(Sentence(_WARM_UP, 2, 0.0, Delivery(name))))

    def load_model(self) -> None:
        """Verify the files, and load the front end. Raises :class:`EngineError`."""
        verify(self._folder, self._manifest)
        check_packages()
        self._model = _load_pipeline(writable_view(self._folder)).model
        if self._model.sample_rate != self.sample_rate:
            raise EngineError(
                f"The model's sample rate is {self._model.sample_rate} Hz, not {self.sample_rate} as configured."
            )

    def plan(self, script: Script) -> tuple[Sentence, ...]:
        """Normalise the text and split it into sentences. Raises :class:`NothingToSayError`."""
        sentences = plan_sentences(script, limit=_MAX_SENTENCE_SYLLABLES, count=_syllables, words=_WORD.findall)
        if not sentences:
            raise NothingToSayError("The text contains nothing that can be pronounced.")
        return tuple(sentences)

    def words(self, text: str) -> list[str]:
        """Return the characters, because only the front end knows words."""
        return list(text)

    def pronounce(self, _: Sentence) -> None:
        """Return None: the front end does not tell its readings."""
        return

    def open_session(self) -> Session:
        """Return a session. Sessions share the networks, which torch can run on several threads at once."""
        return ModelScopeSession(self.model, self._front_end_lock, self.sample_rate)

    @property
    def model(self) -> Any:
        """ModelScope's own model. Raises :class:`EngineError` before it is loaded."""
        if self._model is None:
            raise EngineError("The engine is not loaded.")
        return self._model


def create(settings: Settings) -> ModelScope:
    """Return the engine for ``TTS_MODEL_DIR`` and ``TTS_VOICES``; raises EngineError."""
    if not settings.model_dir:
        raise EngineError("The modelscope engine needs TTS_MODEL_DIR, the folder that `tts-server fetch` filled.")
    return ModelScope(Path(settings.model_dir), settings.voices)


class ModelScopeSession:
    """Calls the methods of ModelScope's model. In between, it sets the emotion and prevents overflow."""

    def __init__(self, model: Any, front_end_lock: threading.Lock, rate: int) -> None:
        self._model = model
        self._front_end_lock = front_end_lock
        self._rate = rate

    def synthesise(self, sentence: Sentence) -> Iterator[Pcm]:
        """Yield the samples of the sentence."""
        how = sentence.delivery
        with self._front_end_lock:
            rows = self._model.frontend.gen_tacotron_symbols(sentence.text)
        parts = [np.zeros(0, np.float32)]
        for row in rows.splitlines():
            _, _, symbols = row.strip().partition("\t")
            if symbols:
                parts.append(self._model.synthesis_one_sentences(how.voice, with_emotion(symbols, how.emotion)))
        # To transpose the sound changes its length back.
        speed = how.speed / how.pitch
        sound = iter([time_stretch(np.concatenate(parts).astype(np.float32), speed, sample_rate=self._rate)])
        if how.pitch != 1.0:
            sound = transpose(sound, how.pitch, sample_rate=self._rate)
        for samples in sound:
            # Clip first: ModelScope's own conversion wraps a full-scale sample to the opposite sign, which clicks.
            yield np.rint(np.clip(samples, -1.0, 1.0) * _FULL_SCALE).astype(np.int16)


def check_packages() -> None:
    """Raise :class:`EngineError` if kantts or ttsfrd is missing, or is the placeholder with the same name."""
    try:
        import ttsfrd  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise EngineError(f"Cannot import ttsfrd ({error}). " + _PLACEHOLDER.format(name="ttsfrd")) from error
    if not hasattr(ttsfrd, "TtsFrontendEngine"):
        raise EngineError(_PLACEHOLDER.format(name="ttsfrd"))
    try:
        import kantts.models  # noqa: F401, PLC0415 - an extra
    except ImportError as error:
        raise EngineError(f"{_PLACEHOLDER.format(name='kantts')} ({error})") from error


def _list_fonts() -> None:
    """Import matplotlib, which ModelScope imports (for training only), in the main thread.

    On first use it asks a subprocess for the system's fonts. Under gevent, subprocesses work only in the main thread,
    and :meth:`ModelScope.load` runs in another one.
    """
    with contextlib.suppress(ImportError):
        import_module("matplotlib.font_manager")


def _load_pipeline(folder: Path) -> Any:
    # Set in pods made for training. With them, ModelScope would wait for the other workers.
    for variable in ("WORLD_SIZE", "RANK", "LOCAL_RANK"):
        os.environ.pop(variable, None)
    try:
        import torch  # noqa: PLC0415 - an extra
        from modelscope.pipelines import pipeline  # noqa: PLC0415 - an extra, and three seconds

        torch.set_num_threads(1)  # parallelism comes from the sessions
        # An absolute path, because ModelScope takes a relative one with a slash for an id on the hub.
        return pipeline("text-to-speech", model=str(folder), device="cpu")
    # It raises many classes of exceptions for a broken model. To the user they are the same.
    except Exception as error:
        raise EngineError(f"ModelScope cannot load the model: {type(error).__name__}: {error}") from error


def _selected(available: list[str], wanted: tuple[str, ...]) -> tuple[str, ...]:
    unknown = [name for name in wanted if name not in available]
    if unknown:
        raise EngineError(f"TTS_VOICES contains {', '.join(unknown)}, but the model has only: {', '.join(available)}.")
    return wanted or tuple(available)


def _syllables(text: str) -> int:
    return len(_SPOKEN.findall(text))
