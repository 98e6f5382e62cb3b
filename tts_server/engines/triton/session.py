"""One sentence from Triton: its networks are asked in turn, and what comes is checked."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING

import numpy as np

from tts_server.audio.pcm import Pcm
from tts_server.engines.backend.availability import Availability
from tts_server.engines.backend.requests import RequestRecorder
from tts_server.engines.fastspeech2.acoustic import Durations
from tts_server.engines.fastspeech2.baker import SAMPLE_RATE
from tts_server.engines.fastspeech2.engine import FastSpeech2Session
from tts_server.engines.fastspeech2.prosody import Prosody
from tts_server.engines.fastspeech2.vocoder import SAMPLES_PER_FRAME, Mel, Samples
from tts_server.engines.protocol import BackendError, BackendRefusedError, InvalidAudioError
from tts_server.engines.triton.checked import CheckedSession
from tts_server.engines.triton.contract import padded_length
from tts_server.engines.triton.remote import Caller, Model
from tts_server.text import Sentence
from tts_server.timing.alignment import Alignment

if TYPE_CHECKING:
    from tts_server.engines.fastspeech2.phonemes import FrontEnd


class RemoteNetworks:
    """Both networks."""

    def __init__(self, caller: Caller, models: Callable[[], tuple[Model, ...]]) -> None:
        """``models`` returns the acoustic model and the vocoder."""
        self._caller = caller
        self._models = models

    def mel(self, ids: list[int], prosody: Prosody) -> tuple[Mel, Durations]:
        """Return the mel spectrogram of the phonemes, and the frames of each. Raises BackendError and its kin."""
        count, padded = len(ids), padded_length(len(ids))
        phonemes, pitch = np.zeros(padded, np.int32), np.zeros(padded, np.float32)
        phonemes[:count], pitch[:count] = ids, prosody.pitch_course(count)
        model, _ = self._models()
        outputs = self._caller.ask(
            model,
            {
                "phonemes": phonemes,
                "length": np.array([count], np.int32),
                "duration": np.array([prosody.duration], np.float32),
                "pitch_range": np.array([prosody.pitch_range], np.float32),
                "pitch": pitch,
                "energy": np.array([prosody.energy], np.float32),
            },
        )
        mel, durations = outputs["mel"], outputs["durations"]
        frames = int(durations[:count].sum())
        if len(durations) < count or durations.min() < 0 or durations[count:].any() or not 0 < frames <= len(mel):
            raise InvalidAudioError(
                f"Triton's model {model.name!r} sends {len(mel)} frames, but the durations of {len(durations)} "
                f"phonemes, of which {count} were asked for, add up to {int(durations.sum())}."
            )
        return mel[:frames], durations[:count]

    def samples(self, mel: Mel) -> Samples:
        """Return the samples of a window. Raises BackendError and its kin."""
        _, model = self._models()
        samples: Samples = self._caller.ask(model, {"mel": mel})["samples"]
        if len(samples) != len(mel) * SAMPLES_PER_FRAME:
            raise InvalidAudioError(
                f"Triton's model {model.name!r} sends {len(samples)} samples for {len(mel)} frames, which have "
                f"{len(mel) * SAMPLES_PER_FRAME}."
            )
        return samples


class TritonSession(CheckedSession):
    """Speaks one sentence at a time. Between two windows it stops as soon as nobody wants the rest."""

    def __init__(
        self, networks: RemoteNetworks, front_end: "FrontEnd", availability: Availability, recorder: RequestRecorder
    ) -> None:
        super().__init__(availability, recorder, SAMPLE_RATE)
        self._session = FastSpeech2Session(networks.mel, networks.samples, front_end, long_windows=True)

    def synthesise(self, sentence: Sentence) -> Iterator[Pcm]:
        """Yield the samples of the sentence. Raises BackendError and its kin."""
        return self.synthesise_aligned(sentence)[1]

    def synthesise_aligned(self, sentence: Sentence) -> tuple[Alignment, Iterator[Pcm]]:
        """Return when each word sounds, and the samples, which Triton is still to make. Raises BackendError."""
        with ExitStack() as request:
            request.enter_context(self._recorder.request())
            try:
                alignment, chunks = self._session.synthesise_aligned(sentence)
            except (BackendError, BackendRefusedError) as error:
                raise self._noted(error) from None
            return alignment, self._rest(sentence, chunks, request.pop_all())

    def _rest(self, sentence: Sentence, chunks: Iterator[Pcm], request: ExitStack) -> Iterator[Pcm]:
        with request:
            yield from self._checked(sentence, chunks)
