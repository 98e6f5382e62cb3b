"""Written Chinese to spoken Chinese, for any engine that has no front end of its own."""

from tts_server.text.normalise import normalise, normalise_with_trace
from tts_server.text.passages import plan_sentences
from tts_server.text.sentences import Sentence, split_sentences
from tts_server.text.trace import RuleUse

__all__ = ["RuleUse", "Sentence", "normalise", "normalise_with_trace", "plan_sentences", "split_sentences"]
