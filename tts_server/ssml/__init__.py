"""A subset of SSML 1.1 (https://www.w3.org/TR/speech-synthesis11/), read into the script that an engine speaks."""

from tts_server.ssml.reader import is_ssml, read_ssml

__all__ = ["is_ssml", "read_ssml"]
