"""What comes from Triton for a sentence, checked as a whole, and what it says about Triton."""

from collections.abc import Iterator

import numpy as np

from tts_server.audio.pcm import Pcm
from tts_server.engines.backend.availability import Availability
from tts_server.engines.backend.requests import RequestRecorder
from tts_server.engines.backend.sound import NotSpeechError, check_speech
from tts_server.engines.protocol import BackendBusyError, BackendError, BackendRefusedError, InvalidAudioError
from tts_server.text import Sentence


class CheckedSession:
    """The part of a session that takes note of how each sentence ends."""

    def __init__(self, availability: Availability, recorder: RequestRecorder, sample_rate: int) -> None:
        self._availability = availability
        self._recorder = recorder
        self._sample_rate = sample_rate

    def _checked(self, sentence: Sentence, chunks: Iterator[Pcm]) -> Iterator[Pcm]:
        """Yield the samples, and check all of them at the end."""
        parts = [np.zeros(0, np.int16)]
        try:
            for chunk in chunks:
                self._recorder.sounded()
                parts.append(chunk)
                yield chunk
            check_speech(
                np.concatenate(parts),
                sample_rate=self._sample_rate,
                syllables=sentence.syllables,
                speed=sentence.delivery.speed,
            )
        except NotSpeechError as error:
            self._availability.failed(str(error), by_text=True)
            raise InvalidAudioError(str(error)) from None
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
