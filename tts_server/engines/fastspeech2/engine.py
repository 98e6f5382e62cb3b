"""The engine: sentence to phonemes to mel to samples, on LiteRT."""

from typing import Any

import numpy as np

from tts_server.engines.fastspeech2 import assets
from tts_server.engines.fastspeech2.phonemes import FrontEnd
from tts_server.engines.fastspeech2.vocoder import Mel, Samples, stretch, vocode
from tts_server.engines.protocol import NEUTRAL, EngineError, NothingToSayError, Pcm, Sentence, Session, Voice
from tts_server.text import normalise, split_clauses

SAMPLE_RATE = 24_000
# Bounds the acoustic model's memory, and with the vocoder's windows how long a thread is busy in one go.
CLAUSE_SYLLABLES = 20
_FULL_SCALE = 32767
_REVISION = "baker-1"
_VOICES = (Voice(id="baker", name="Baker, female, Mandarin", language="zh-CN"),)
# As long as a clause may be, so that a session has all the memory that it will ever need before it is used.
_WARM_UP = "欢迎致电客户服务中心请问有什么可以帮您的吗"


class FastSpeech2:
    """FastSpeech2 and MB-MelGAN with one Mandarin voice."""

    name = "fastspeech2"
    revision = _REVISION
    sample_rate = SAMPLE_RATE
    voices = _VOICES
    emotions = (NEUTRAL,)

    def __init__(self) -> None:
        self._files: assets.Assets | None = None
        self._front_end: FrontEnd | None = None

    def load(self) -> None:
        """Find the files and read the front end's tables; raises :class:`EngineError`."""
        files = assets.locate()
        try:
            front_end = FrontEnd.from_file(files.symbols)
        except (OSError, KeyError, ValueError) as error:
            raise EngineError(f"Cannot read the phoneme table {files.symbols}: {error}") from error
        front_end.phonemes(_WARM_UP)  # pypinyin reads its dictionaries at the first use
        front_end.words(_WARM_UP)
        self._front_end, self._files = front_end, files

    def plan(self, text: str) -> tuple[Sentence, ...]:
        """Normalise the text and split it into clauses; raises :class:`NothingToSayError`."""
        front_end = self._loaded_front_end()
        clauses = split_clauses(normalise(text), limit=CLAUSE_SYLLABLES, cost=front_end.count, words=front_end.words)
        if not clauses:
            raise NothingToSayError("The text holds nothing that can be pronounced.")
        return tuple(Sentence(clause.text, front_end.count(clause.text), clause.pause) for clause in clauses)

    def open_session(self) -> Session:
        """Make an interpreter pair and run it once at full length."""
        front_end = self._loaded_front_end()
        files = self._files
        if files is None:  # pragma: no cover - set together with the front end
            raise EngineError("The engine is not loaded.")
        try:
            session = FastSpeech2Session(files, front_end)
        except (OSError, ValueError, RuntimeError, ImportError) as error:
            raise EngineError(f"LiteRT cannot run the models in {files.vocoder.parent}: {error}") from error
        for sentence in self.plan(_WARM_UP):
            session.synthesise(sentence, voice=_VOICES[0].id, speed=1.0, emotion=NEUTRAL)
        return session

    def _loaded_front_end(self) -> FrontEnd:
        if self._front_end is None:
            raise EngineError("The engine is not loaded.")
        return self._front_end


class FastSpeech2Session:
    """One pair of interpreters. Interpreters keep their tensors between calls, so they are never shared."""

    def __init__(self, files: assets.Assets, front_end: FrontEnd) -> None:
        self._front_end = front_end
        self._acoustic = _Network(files.acoustic)
        self._vocoder = _Network(files.vocoder)

    def synthesise(self, sentence: Sentence, *, voice: str, speed: float, emotion: str) -> Pcm:
        """Say the sentence; the same input gives the same bytes. ``speed`` 2 is twice as fast."""
        del voice, emotion  # there is one of each
        ids = np.array([self._front_end.ids(sentence.text)], np.int32)
        one = np.ones(1, np.float32)
        # Inputs: ids, speaker, duration, f0 and energy ratios. Output 1 is the mel after the post-net.
        mel: Mel = self._acoustic(ids, np.zeros(1, np.int32), one, one, one, output=1)[0]
        samples = vocode(stretch(mel, speed), self._run_vocoder)
        return np.rint(np.clip(samples, -1.0, 1.0) * _FULL_SCALE).astype(np.int16)

    def _run_vocoder(self, mel: Mel) -> Samples:
        samples: Samples = self._vocoder(mel[np.newaxis])[0, :, 0]
        return samples


class _Network:
    """A TFLite graph whose first input has a length of its own each time."""

    def __init__(self, path: Any) -> None:
        # Imported here: it costs a third of a second, which a process that only needs the front end saves.
        from ai_edge_litert.interpreter import Interpreter  # noqa: PLC0415 - see above

        # One thread: parallelism comes from several sessions, which scales better than threads within one small graph.
        self._interpreter = Interpreter(model_path=str(path), num_threads=1)
        self._inputs = [detail["index"] for detail in self._interpreter.get_input_details()]
        self._outputs = [detail["index"] for detail in self._interpreter.get_output_details()]
        self._shape: tuple[int, ...] = ()

    def __call__(self, *values: Any, output: int = 0) -> Any:
        if values[0].shape != self._shape:
            self._interpreter.resize_tensor_input(self._inputs[0], values[0].shape)
            self._interpreter.allocate_tensors()
            self._shape = values[0].shape
        for index, value in zip(self._inputs, values, strict=True):
            self._interpreter.set_tensor(index, value)
        self._interpreter.invoke()
        return self._interpreter.get_tensor(self._outputs[output])
