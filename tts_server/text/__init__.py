"""Written Chinese to spoken Chinese, for any engine that has no front end of its own."""

from tts_server.text.normalise import normalise
from tts_server.text.passages import plan_sentences
from tts_server.text.sentences import Sentence, split_sentences

__all__ = ["Sentence", "normalise", "plan_sentences", "split_sentences"]
