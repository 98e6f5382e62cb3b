"""Whether samples can be all of the speech for a text: their length, their loudness, and their silences.

A backend may end early, fill up with silence, or send something else than speech, all with a good status. What is
wrong must reach no cache. The limits are wide: they let through every voice, and stop what no voice does.
"""

import numpy as np

from tts_server.audio.pcm import Pcm

# From a voice that hurries to one that drawls, and what a model may add before and after a text.
_SECONDS_PER_SYLLABLE = (0.06, 0.7)
_AROUND_SECONDS = 3.0
# Below -54 dB, which is less than the noise of a quiet recording.
_QUIET = 64
_FRAME_SECONDS = 0.02
# The silence within a sentence is shorter, and so is what models leave before and after it.
_SILENCE_SECONDS = 1.0
_SILENCE_SHARE = 0.4
# Of full scale. Compressed audio that is taken for samples is noise at about 0.58.
_NOISE = 0.5
_FULL_SCALE = 32768


class NotSpeechError(ValueError):
    """The samples cannot be all of the speech for a text. The message says why."""


def longest_seconds(syllables: int, speed: float = 1.0) -> float:
    """Return the most seconds that the speech for so many syllables may take."""
    return (_SECONDS_PER_SYLLABLE[1] * syllables + _AROUND_SECONDS) / speed


def check_speech(samples: Pcm, *, sample_rate: int, syllables: int, speed: float = 1.0) -> None:
    """Raise :class:`NotSpeechError` unless the samples can be the speech for so many syllables."""
    seconds = len(samples) / sample_rate
    if seconds > longest_seconds(syllables, speed):
        raise NotSpeechError(f"{seconds:.1f} s of audio are too long for {syllables} syllables.")
    level = float(np.sqrt(np.mean(np.square(samples, dtype=np.float64)))) / _FULL_SCALE if len(samples) else 0.0
    if level > _NOISE:
        raise NotSpeechError(f"The audio is noise: its loudness (RMS) is {level:.2f} of full scale.")
    sounding = _sounding(samples, round(sample_rate * _FRAME_SECONDS))
    spoken = int(np.count_nonzero(sounding)) * _FRAME_SECONDS
    if spoken < _SECONDS_PER_SYLLABLE[0] * syllables / speed:
        raise NotSpeechError(f"{spoken:.1f} s of sound are too short for {syllables} syllables.")
    silence = _longest_run(~sounding) * _FRAME_SECONDS
    if silence > max(_SILENCE_SECONDS / speed, _SILENCE_SHARE * seconds):
        raise NotSpeechError(f"The audio is silent for {silence:.1f} of {seconds:.1f} s.")


def _sounding(samples: Pcm, frame: int) -> "np.ndarray[tuple[int], np.dtype[np.bool_]]":
    """Return for each frame of so many samples, the last one filled up, whether it sounds."""
    padded = np.pad(samples, (0, -len(samples) % frame)).reshape(-1, frame)
    # Not np.abs, in which -32768 of 16 bits stays negative.
    sounding: np.ndarray[tuple[int], np.dtype[np.bool_]] = (padded.max(1, initial=0) > _QUIET) | (
        padded.min(1, initial=0) < -_QUIET
    )
    return sounding


def _longest_run(flags: "np.ndarray[tuple[int], np.dtype[np.bool_]]") -> int:
    """Return the length of the longest run of true values."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    return int((edges[1::2] - edges[::2]).max(initial=0))
