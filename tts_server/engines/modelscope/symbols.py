"""The symbols of the front end, from which Sambert reads the emotion.

A sentence is a row of symbols such as ``{ni$tone3$s_both$word_begin$emotion_neutral$F7}``: syllable or phone, tone,
position in the syllable, position in the word, emotion, speaker. The front end always writes the neutral emotion. A
voice that was trained with emotions (its name ends in ``_emo``) follows the fifth field.
"""

import re

from tts_server.text.delivery import NEUTRAL

# The API's names, and those of KAN-TTS (kantts/utils/ling_unit/emotion_types.py).
EMOTIONS: dict[str, str] = {
    NEUTRAL: "emotion_neutral",
    "happy": "emotion_happy",
    "sad": "emotion_sad",
    "angry": "emotion_angry",
    "fearful": "emotion_fear",
    "surprised": "emotion_surprise",
    "calm": "emotion_calm",
    "disgusted": "emotion_disgust",
    "gentle": "emotion_gentle",
    "relaxed": "emotion_relax",
    "lyrical": "emotion_lyrical",
    "serious": "emotion_serious",
}
_SYMBOL = re.compile(r"\{([^{}]*)\}")
_EMOTION_FIELD = 4


def with_emotion(symbols: str, emotion: str) -> str:
    """Return the row with ``emotion`` (one of :data:`EMOTIONS`) in each symbol that has the field."""

    def change(match: re.Match[str]) -> str:
        fields = match[1].split("$")
        if len(fields) > _EMOTION_FIELD and fields[_EMOTION_FIELD].startswith("emotion_"):
            fields[_EMOTION_FIELD] = EMOTIONS[emotion]
        return "{" + "$".join(fields) + "}"

    return _SYMBOL.sub(change, symbols)
