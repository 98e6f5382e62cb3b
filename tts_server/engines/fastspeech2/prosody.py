"""Emotions as prosody: how fast, how high, how lively and how loud the voice speaks.

The model was trained on one neutral speaker, so it has learnt no emotions. It has learnt to follow a contour of pitch
and energy. These presets change the contour as emotions change people's speech (K. R. Scherer, "Vocal communication of
emotion", Speech Communication 40, 2003): a happy voice is higher, livelier and faster; a sad one is lower, flatter,
softer and slower. The result is a manner of speaking, not acting.
"""

import math
import re
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from tts_server.text.delivery import NEUTRAL, Delivery

# Three syllables (an initial, a final and a break each), and the silence and the end that follow.
_RISING_PHONEMES = 11
# What has a word for what is asked, or a choice, rises less than a question of yes or no.
_ASKED = re.compile(r"什么|啥|谁|哪|怎|几|多少|多[久大长高远]|为何|何[时处]|如何|呢\?$|还是|([\u4e00-\u9fff])[不没]\1")
_RISE, _SLIGHT_RISE = 1.0, 0.5
_HIGHEST = 1.4


@dataclass(frozen=True, slots=True)
class Prosody:
    """Inputs of the acoustic model. ``pitch`` and ``energy`` are shifts in standard deviations of its training data.

    A pitch shift of 1 is about 14 % of this voice's 255 Hz; an energy shift of 0.5 about 2 dB. ``rise`` is how much
    higher the last syllable is than without it.
    """

    duration: float = 1.0
    pitch_range: float = 1.0
    pitch: float = 0.0
    energy: float = 0.0
    rise: float = 0.0

    def pitch_course(self, phonemes: int) -> npt.NDArray[np.float32]:
        """Return the pitch shift for each phoneme of a sentence: it rises over the last syllables."""
        course = np.full(phonemes, self.pitch, np.float32)
        rising = min(_RISING_PHONEMES, phonemes)
        if self.rise and rising:
            course[phonemes - rising :] += np.linspace(0.0, self.rise, rising, dtype=np.float32)
        return course


# Within the range that sounds clear: beyond a pitch of 1.5 the voice breaks, below an energy of -1 it whispers.
EMOTIONS: dict[str, Prosody] = {
    NEUTRAL: Prosody(),
    "happy": Prosody(duration=0.93, pitch_range=1.3, pitch=0.7, energy=0.3),
    "sad": Prosody(duration=1.18, pitch_range=0.6, pitch=-0.9, energy=-0.4),
    "angry": Prosody(duration=0.88, pitch_range=1.35, pitch=0.2, energy=0.9),
    "fearful": Prosody(duration=0.85, pitch_range=0.8, pitch=1.1, energy=-0.25),
    "surprised": Prosody(duration=0.96, pitch_range=1.6, pitch=1.0, energy=0.4),
    "calm": Prosody(duration=1.12, pitch_range=0.75, pitch=-0.35, energy=-0.2),
}

# Measured: from -1.2 to 1.2 the voice follows the shift with this slope, to 2 %. Then it follows less and less.
_LOG_PITCH_PER_SHIFT = 0.133
_MAX_SHIFT = 1.2


def spoken(how: Delivery, text: str) -> tuple[Prosody, float]:
    """Return the prosody of a sentence, and the factor by which its sound must still be transposed.

    A question, which ends in ``?``, rises at its end, as far as its pitch leaves room for that.
    """
    prosody, transposed = at_pitch(EMOTIONS[how.emotion], how.pitch)
    if not text.endswith("?"):
        return prosody, transposed
    rise = _SLIGHT_RISE if _ASKED.search(text) else _RISE
    return replace(prosody, rise=max(0.0, min(rise, _HIGHEST - prosody.pitch))), transposed


def at_pitch(prosody: Prosody, pitch: float) -> tuple[Prosody, float]:
    """Return the prosody at ``pitch`` times its pitch, and the factor by which its sound must still be transposed.

    The model itself speaks up to three semitones higher or lower, as a person would, with the formants in place. The
    pitch of an emotion is part of that range.
    """
    shift = prosody.pitch + math.log(pitch) / _LOG_PITCH_PER_SHIFT
    reached = min(max(shift, -_MAX_SHIFT), _MAX_SHIFT)
    left = 1.0 if reached == shift else math.exp((shift - reached) * _LOG_PITCH_PER_SHIFT)
    return replace(prosody, pitch=reached), left
