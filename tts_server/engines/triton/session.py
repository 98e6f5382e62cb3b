"""One sentence from Triton: its networks are asked in turn, and what comes is checked."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tts_server.audio.pcm import Pcm
from tts_server.engines.backend.availability import Availability
from tts_server.engines.backend.sound import NotSpeechError, check_speech
from tts_server.engines.fastspeech2.acoustic import Durations
from tts_server.engines.fastspeech2.baker import SAMPLE_RATE
from tts_server.engines.fastspeech2.engine import FastSpeech2Session
from tts_server.engines.fastspeech2.prosody import Prosody
from tts_server.engines.fastspeech2.vocoder import Mel, Samples
from tts_server.engines.protocol import BackendBusyError, BackendError, BackendRefusedError
from tts_server.engines.triton.client import TritonClient, checked
from tts_server.engines.triton.contract import ACOUSTIC, VOCODER, Array, Contract, padded_length
from tts_server.text import Sentence
from tts_server.timing.alignment import Alignment

if TYPE_CHECKING:
    from tts_server.engines.fastspeech2.phonemes import FrontEnd


@dataclass(frozen=True, slots=True)
class Model:
    """A model that Triton has loaded. Only this version has the weights that the engine's revision stands for."""

    name: str
    version: int


class RemoteNetworks:
    """Both networks, over one connection."""

    def __init__(
        self,
        client: TritonClient,
        models: Callable[[], tuple[Model, Model]],
        availability: Availability,
        *,
        seconds: float,
        give_up: Callable[[], bool] = lambda: False,
    ) -> None:
        """``models`` returns the acoustic model and the vocoder. ``seconds`` is the time limit of one request.

        Nothing is asked while ``give_up``.
        """
        self._client = client
        self._models = models
        self._availability = availability
        self._seconds = seconds
        self._give_up = give_up

    def mel(self, ids: list[int], prosody: Prosody) -> tuple[Mel, Durations]:
        """Return the mel spectrogram of the phonemes, and the frames of each. Raises BackendError and its kin."""
        count, padded = len(ids), padded_length(len(ids))
        phonemes, pitch = np.zeros(padded, np.int32), np.zeros(padded, np.float32)
        phonemes[:count], pitch[:count] = ids, prosody.pitch_course(count)
        model, _ = self._models()
        outputs = self._ask(
            model,
            ACOUSTIC,
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
            raise BackendError(
                f"Triton's model {model.name!r} sends {len(mel)} frames, but the durations of {len(durations)} "
                f"phonemes, of which {count} were asked for, add up to {int(durations.sum())}."
            )
        return mel[:frames], durations[:count]

    def samples(self, window: Mel) -> Samples:
        """Return the samples of one window. Raises BackendError and its kin."""
        _, model = self._models()
        samples: Samples = self._ask(model, VOCODER, {"mel": np.ascontiguousarray(window)})["samples"].copy()
        return samples

    def _ask(self, model: Model, contract: Contract, inputs: dict[str, Array]) -> dict[str, Array]:
        if self._give_up():
            raise BackendError("Triton does not answer.", away=True)
        outputs = self._client.infer(model.name, model.version, contract, inputs, seconds=self._seconds)
        self._availability.heard()
        return checked(model.name, contract, outputs)


class TritonSession:
    """Speaks one sentence at a time. Between two windows it stops as soon as nobody wants the rest."""

    def __init__(self, networks: RemoteNetworks, front_end: "FrontEnd", availability: Availability) -> None:
        self._session = FastSpeech2Session(networks.mel, networks.samples, front_end)
        self._availability = availability

    def synthesise(self, sentence: Sentence) -> Iterator[Pcm]:
        """Yield the samples of the sentence. Raises BackendError and its kin."""
        return self.synthesise_aligned(sentence)[1]

    def synthesise_aligned(self, sentence: Sentence) -> tuple[Alignment, Iterator[Pcm]]:
        """Return when each word sounds, and the samples, which Triton is still to make. Raises BackendError."""
        try:
            alignment, chunks = self._session.synthesise_aligned(sentence)
        except (BackendError, BackendRefusedError) as error:
            raise self._noted(error) from None
        return alignment, self._whole(sentence, chunks)

    def _whole(self, sentence: Sentence, chunks: Iterator[Pcm]) -> Iterator[Pcm]:
        """Yield the samples, and check all of them at the end."""
        parts = [np.zeros(0, np.int16)]
        try:
            for chunk in chunks:
                parts.append(chunk)
                yield chunk
            check_speech(
                np.concatenate(parts),
                sample_rate=SAMPLE_RATE,
                syllables=sentence.syllables,
                speed=sentence.delivery.speed,
            )
        except NotSpeechError as error:
            self._availability.failed(str(error), by_text=True)
            raise BackendError(str(error)) from None
        except (BackendError, BackendRefusedError) as error:
            raise self._noted(error) from None
        self._availability.spoke()

    def _noted(self, error: BackendError | BackendRefusedError) -> BackendError:
        """Take note of a failure. What Triton refuses was no text of a client's, so another attempt may succeed."""
        if isinstance(error, BackendBusyError):
            return error
        away = not isinstance(error, BackendError) or error.away
        self._availability.failed(str(error), by_text=not away)
        return error if isinstance(error, BackendError) else BackendError(str(error), away=True)
