"""Words and how to say them, for one request or for the whole service."""

from tts_server.lexicon.entries import MAX_REQUEST_ENTRIES, NO_ENTRIES, Lexicon, LexiconError, read_lexicon
from tts_server.lexicon.matching import apply_lexicons

__all__ = ["MAX_REQUEST_ENTRIES", "NO_ENTRIES", "Lexicon", "LexiconError", "apply_lexicons", "read_lexicon"]
