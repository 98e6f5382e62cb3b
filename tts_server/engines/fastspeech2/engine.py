"""The engine: sentence to phonemes to mel to samples."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from tts_server.audio.pcm import Pcm
from tts_server.audio.time_stretch import time_stretch
from tts_server.engines.fastspeech2 import assets
from tts_server.engines.fastspeech2.acoustic import AcousticModel
from tts_server.engines.fastspeech2.prosody import EMOTIONS
from tts_server.engines.fastspeech2.vocoder import (
    SAMPLES_PER_FRAME,
    WINDOW_FRAMES,
    MelToSamples,
    Samples,
    Vocoder,
    stretch,
    vocode,
)
from tts_server.engines.protocol import NEUTRAL, EngineError, NothingToSayError, Session, Voice
from tts_server.settings import Settings
from tts_server.text import Sentence, normalise, split_sentences

if TYPE_CHECKING:
    from tts_server.engines.fastspeech2.phonemes import FrontEnd

SAMPLE_RATE = 24_000
# Bounds the acoustic model's memory, and with the vocoder's windows how long a thread is busy in one go.
MAX_SENTENCE_SYLLABLES = 20
_FULL_SCALE = 32767
_FADE_SAMPLES = 72  # 3 ms
_MAX_FRAME_SPEED = 2.0
_REVISION = "baker-2"
_VOICES = (Voice(id="baker", name="Baker, female, Mandarin", language="zh-CN"),)
# With what they import in turn; the last one is for LiteRT, which decodes names.
_IMPORTS = (
    "openvino",
    "ai_edge_litert.interpreter",
    "tts_server.engines.fastspeech2.phonemes",
    "encodings.ascii",
)
# As long as a clause may be, so that a session has all the memory that it will ever need before it is used.
_WARM_UP = "欢迎致电客户服务中心请问有什么可以帮您的吗"


class FastSpeech2:
    """FastSpeech2 and MB-MelGAN with one Mandarin voice."""

    name = "fastspeech2"
    revision = _REVISION
    sample_rate = SAMPLE_RATE
    voices = _VOICES
    emotions = tuple(EMOTIONS)

    def __init__(self) -> None:
        self._files: assets.Assets | None = None
        self._front_end: FrontEnd | None = None
        self._vocoder: Vocoder | None = None

    @property
    def imports(self) -> tuple[str, ...]:
        """All that loading imports; nothing where the networks are not prepared yet, which imports more."""
        return _IMPORTS if assets.prepared() else ()

    def load(self) -> None:
        """Find the files, compile the vocoder, read the front end's tables; raises :class:`EngineError`."""
        files = assets.locate()
        # The vocoder first: its compiler runs beside whatever Python does meanwhile.
        try:
            self._vocoder = Vocoder(files.vocoder)
        except (OSError, RuntimeError, ImportError) as error:
            raise EngineError(f"OpenVINO cannot run the vocoder {files.vocoder}: {error}") from error
        from tts_server.engines.fastspeech2.phonemes import FrontEnd  # noqa: PLC0415 - a third of a second

        try:
            front_end = FrontEnd.from_file(files.symbols)
        except (OSError, KeyError, ValueError) as error:
            raise EngineError(f"Cannot read the phoneme table {files.symbols}: {error}") from error
        front_end.phonemes(_WARM_UP)  # pypinyin reads its dictionaries at the first use
        front_end.words(_WARM_UP)
        self._front_end, self._files = front_end, files

    def plan(self, text: str) -> tuple[Sentence, ...]:
        """Normalise the text and split it into sentences; raises :class:`NothingToSayError`."""
        front_end = self._loaded_front_end()
        sentences = split_sentences(
            normalise(text), limit=MAX_SENTENCE_SYLLABLES, count=front_end.count, words=front_end.words
        )
        if not sentences:
            raise NothingToSayError("The text holds nothing that can be pronounced.")
        return tuple(sentences)

    def open_session(self) -> Session:
        """Make the working memory, and take all of it once, so that it will not grow any more."""
        front_end = self._loaded_front_end()
        if self._files is None or self._vocoder is None:  # pragma: no cover - set together with the front end
            raise EngineError("The engine is not loaded.")
        try:
            acoustic = AcousticModel(self._files.acoustic)
        except (OSError, ValueError, RuntimeError, ImportError) as error:
            raise EngineError(f"LiteRT cannot run the acoustic model {self._files.acoustic}: {error}") from error
        session = FastSpeech2Session(acoustic, self._vocoder.open(), front_end)
        session.warm_up(_WARM_UP)
        return session

    def _loaded_front_end(self) -> "FrontEnd":
        if self._front_end is None:
            raise EngineError("The engine is not loaded.")
        return self._front_end


def create(_: Settings) -> FastSpeech2:
    """Return the engine. It has no settings: the model and its one voice are part of the installation."""
    return FastSpeech2()


class FastSpeech2Session:
    """Networks with working memory of their own, so never shared between threads."""

    def __init__(self, acoustic: AcousticModel, vocoder: MelToSamples, front_end: "FrontEnd") -> None:
        self._front_end = front_end
        self._acoustic = acoustic
        self._vocoder = vocoder

    def warm_up(self, text: str) -> None:
        """Take the memory that a text of this length needs: the acoustic model for all of it, the vocoder a window."""
        mel = self._acoustic(self._front_end.ids(text), EMOTIONS[NEUTRAL])
        list(vocode(mel[:WINDOW_FRAMES], self._vocoder))

    def synthesise(self, sentence: Sentence, *, voice: str, speed: float, emotion: str) -> Iterator[Pcm]:
        """Say the sentence; the same input gives the same bytes. ``speed`` 2 is twice as fast."""
        del voice  # there is one
        mel = self._acoustic(self._front_end.ids(sentence.text), EMOTIONS[emotion])
        # Frames are interpolated up to twice the speed; beyond, too few of them are left for a clear sound.
        by_frames = min(speed, _MAX_FRAME_SPEED)
        mel = stretch(mel, by_frames)
        pieces, length = vocode(mel, self._vocoder), len(mel) * SAMPLES_PER_FRAME
        if speed > by_frames:
            whole = time_stretch(np.concatenate(list(pieces)), speed / by_frames, sample_rate=SAMPLE_RATE)
            pieces, length = iter([whole]), len(whole)
        for samples in _faded(pieces, length):
            yield np.rint(np.clip(samples, -1.0, 1.0) * _FULL_SCALE).astype(np.int16)


def _faded(pieces: Iterator[Samples], length: int) -> Iterator[Samples]:
    """Fade the beginning and the end of ``length`` samples: the room's noise there would be a step at each joint."""
    fade = min(_FADE_SAMPLES, length // 2)
    ramp = np.linspace(0.0, 1.0, fade, dtype=np.float32)
    left = length
    for samples in pieces:
        if left == length:
            samples[:fade] *= ramp
        left -= len(samples)
        if left == 0:
            samples[len(samples) - fade :] *= ramp[::-1]
        yield samples
