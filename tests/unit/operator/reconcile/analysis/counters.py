"""Counters of model servers."""

from tts_operator.speech.live import Counters


def answers(requests: float, *, seconds: float) -> Counters:
    """This many requests, all answered within this time, but not within half of it."""
    buckets = {("/api/tts", seconds / 2): 0.0, ("/api/tts", seconds): requests, ("/api/tts", float("inf")): requests}
    return Counters({("/api/tts", "200"): requests}, buckets)
