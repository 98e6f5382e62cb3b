"""The engine: from a sentence to phonemes, to a mel spectrogram, to samples."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from tts_server.audio.pcm import Pcm
from tts_server.audio.resampling import transpose, transposed_length
from tts_server.audio.time_stretch import time_stretch
from tts_server.engines.fastspeech2 import assets
from tts_server.engines.fastspeech2.acoustic import AcousticModel, Durations
from tts_server.engines.fastspeech2.alignment import Frames, align
from tts_server.engines.fastspeech2.baker import REVISION, SAMPLE_RATE, WARM_UP, Baker
from tts_server.engines.fastspeech2.prosody import EMOTIONS, Prosody, spoken
from tts_server.engines.fastspeech2.vocoder import (
    SAMPLES_PER_FRAME,
    WINDOW_FRAMES,
    Mel,
    MelToSamples,
    Samples,
    Vocoder,
    stretch,
    vocode,
)
from tts_server.engines.protocol import EngineError, Session
from tts_server.process.cpu import cpu_limit
from tts_server.settings import Settings
from tts_server.text import Sentence
from tts_server.text.delivery import NEUTRAL
from tts_server.timing.alignment import Alignment

if TYPE_CHECKING:
    from tts_server.engines.fastspeech2.phonemes import FrontEnd

_FULL_SCALE = 32767
_FADE_SAMPLES = 72  # 3 ms
_MAX_FRAME_SPEED = 2.0
# Including what they import in turn. LiteRT needs the last one to decode names.
_IMPORTS = (
    "openvino",
    "ai_edge_litert.interpreter",
    "tts_server.engines.fastspeech2.phonemes",
    "encodings.ascii",
)

# From phoneme ids and their prosody to a mel spectrogram, and the length of each phoneme.
Acoustic = Callable[[list[int], Prosody], tuple[Mel, Durations]]


class FastSpeech2(Baker):
    """FastSpeech2 and MB-MelGAN with one Mandarin voice."""

    name = "fastspeech2"
    revision = REVISION

    def __init__(self, threads: int = 1) -> None:
        """``threads`` is the number of sessions that will be used at the same time."""
        super().__init__()
        self._threads = threads
        self._files: assets.Assets | None = None
        self._vocoder: Vocoder | None = None

    @property
    def imports(self) -> tuple[str, ...]:
        """All modules that loading imports. Empty if the networks are not prepared yet, which imports more."""
        return _IMPORTS if assets.prepared() else ()

    def load(self) -> None:
        """Find the files, compile the vocoder and read the tables of the front end. Raises :class:`EngineError`."""
        files = assets.locate()
        # The vocoder first, because its compiler runs in parallel with Python.
        try:
            self._vocoder = Vocoder(files.vocoder, self._threads)
        except (OSError, RuntimeError, ImportError) as error:
            raise EngineError(f"OpenVINO cannot run the vocoder {files.vocoder}: {error}") from error
        self.read_front_end(files.symbols)
        self._files = files

    def open_session(self) -> Session:
        """Return a session that has already allocated all the memory it will need."""
        front_end = self.front_end
        if self._files is None or self._vocoder is None:  # pragma: no cover - set together with the front end
            raise EngineError("The engine is not loaded.")
        try:
            acoustic = AcousticModel(self._files.acoustic)
        except (OSError, ValueError, RuntimeError, ImportError) as error:
            raise EngineError(f"LiteRT cannot run the acoustic model {self._files.acoustic}: {error}") from error
        session = FastSpeech2Session(acoustic, self._vocoder.open(), front_end)
        session.warm_up(WARM_UP)
        return session


def create(settings: Settings) -> FastSpeech2:
    """Return the engine. Its only setting is the number of threads: model and voice are part of the installation."""
    return FastSpeech2(settings.threads or cpu_limit())


class FastSpeech2Session:
    """Networks with working memory of their own, never shared between threads."""

    def __init__(
        self, acoustic: Acoustic, vocoder: MelToSamples, front_end: "FrontEnd", *, long_windows: bool = False
    ) -> None:
        """``long_windows``: the vocoder also takes windows of LONG_WINDOW_FRAMES."""
        self._front_end = front_end
        self._acoustic = acoustic
        self._vocoder = vocoder
        self._long_windows = long_windows

    def warm_up(self, text: str) -> None:
        """Allocate the memory for a text of this length in the acoustic model, and for one window in the vocoder."""
        mel, _ = self._acoustic(self._front_end.ids(text), EMOTIONS[NEUTRAL])
        list(vocode(mel[:WINDOW_FRAMES], self._vocoder))

    def synthesise(self, sentence: Sentence) -> Iterator[Pcm]:
        """Yield the samples of the sentence. The same input gives the same samples. There is only one voice."""
        return self.synthesise_aligned(sentence)[1]

    def synthesise_aligned(self, sentence: Sentence) -> tuple[Alignment, Iterator[Pcm]]:
        """Return when each word sounds, and the samples of the sentence, which are still to be computed."""
        front_end = self._front_end
        syllables = front_end.syllables(sentence.text, sentence.spans)
        phonemes = front_end.spell(syllables)
        prosody, transposed = spoken(sentence.delivery, sentence.text)
        mel, durations = self._acoustic(front_end.identify(phonemes), prosody)
        speed = sentence.delivery.speed / transposed  # to transpose the sound changes its length back
        # Up to twice the speed, frames are interpolated. Beyond that, too few would be left for clear speech.
        by_frames = min(speed, _MAX_FRAME_SPEED)
        mel = stretch(mel, by_frames)
        by_samples = speed / by_frames
        length = round(len(mel) * SAMPLES_PER_FRAME / by_samples)
        frames, whole = Frames(phonemes, durations), transposed_length(length, transposed, sample_rate=SAMPLE_RATE)
        alignment = align(sentence.text, front_end.words(sentence.text), syllables, frames, whole)
        return alignment, self._samples(mel, by_samples, length, transposed)

    def _samples(self, mel: Mel, speed: float, length: int, transposed: float) -> Iterator[Pcm]:
        chunks = vocode(mel, self._vocoder, long_windows=self._long_windows)
        if speed != 1.0:
            chunks = iter([time_stretch(np.concatenate(list(chunks)), speed, sample_rate=SAMPLE_RATE)])
        sound = _faded(chunks, length)
        if transposed != 1.0:
            sound = transpose(sound, transposed, sample_rate=SAMPLE_RATE)
        for samples in sound:
            yield np.rint(np.clip(samples, -1.0, 1.0) * _FULL_SCALE).astype(np.int16)


def _faded(chunks: Iterator[Samples], length: int) -> Iterator[Samples]:
    """Fade in and out over ``length`` samples. Otherwise the recording's noise floor would click at each joint."""
    fade = min(_FADE_SAMPLES, length // 2)
    ramp = np.linspace(0.0, 1.0, fade, dtype=np.float32)
    remaining = length
    for samples in chunks:
        if remaining == length:
            samples[:fade] *= ramp
        remaining -= len(samples)
        if remaining == 0:
            samples[len(samples) - fade :] *= ramp[::-1]
        yield samples
