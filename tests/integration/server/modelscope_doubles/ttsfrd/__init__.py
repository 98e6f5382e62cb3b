"""A double of the front end: each character is a symbol of KAN-TTS' form, as the genuine one writes it."""

import sys
from types import SimpleNamespace

if sys.version_info >= (3, 11):
    # ModelScope refuses to load the genuine front end here, which has no build for it; this one has.
    import modelscope.models.audio.tts.sambert_hifi as gate

    gate.sys = SimpleNamespace(version_info=(3, 10))


class TtsFrontendEngine:
    def initialize(self, resources: str) -> bool:
        with open(resources + "/ready") as file:  # noqa: PTH123 - what resource.zip held
            return file.read() == "yes"

    def set_lang_type(self, language: str) -> bool:
        return language == "PinYin"

    def gen_tacotron_symbols(self, text: str) -> str:
        symbols = " ".join(
            "{" + f"{ord(char)}$tone1$s_both$word_both$emotion_neutral$F7" + "}" for char in text if char.isalnum()
        )
        return f"1\t{symbols}\n\n" if symbols else ""
