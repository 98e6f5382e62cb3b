"""Written Chinese to spoken Chinese: what any engine without a front end of its own needs."""

from tts_server.text.clauses import Clause, split_clauses
from tts_server.text.normalise import normalise

__all__ = ["Clause", "normalise", "split_clauses"]
