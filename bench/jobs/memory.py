"""The memory that the longest text takes, in the server that accepts it and in the worker that splits and speaks it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from bench.figures import Figure
from bench.jobs.booktext import book
from bench.jobs.pipeline import Pipeline, made_segments, pipeline, wait_until
from bench.server.serverprocess import Server
from tts_server.jobs.model import MAX_CHARACTERS

_SEGMENTS = 10
_SPLIT_SECONDS = 300.0


def memory(scale: float, cores: Sequence[int], say: Callable[[str], None]) -> list[Figure]:
    """Send the text as JSON and as the body of the request. Each time, wait until some segments are spoken."""
    # A little less: the book ends with the paragraph that brings it to this length.
    text = book(round((MAX_CHARACTERS - 1000) * min(scale, 1.0)), 7).text
    figures = []
    with pipeline() as running, running.worker(cores[-1:]) as worker:
        for _ in range(3):
            running.client.speak("您好，世界。")
        idle = [each.resident_mb() for each in (running.server, worker)]
        sends = {"in JSON": running.client.submit, "as it is": running.client.submit_plain}
        for how, send in sends.items():
            used = _used(running, worker, partial(send, text))
            above = [peak - before for peak, before in zip(used, idle, strict=True)]
            say(f"{how}: server {above[0]:.0f} MB, worker {above[1]:.0f} MB above idle")
            figures += [
                Figure(f"{len(text):,} characters {how}: server above idle", above[0], "MB", 200),
                Figure(f"{len(text):,} characters {how}: worker above idle", above[1], "MB", 200),
            ]
    return [Figure("server when idle", idle[0], "MB"), Figure("worker when idle", idle[1], "MB"), *figures]


def _used(running: Pipeline, worker: Server, send: Callable[[], str]) -> list[float]:
    """Return the peaks of server and worker until some segments are spoken, in MB. Then cancel the job."""
    measured = (running.server, worker)
    for each in measured:
        each.forget_peak()
    spoken = made_segments(worker)
    job = send()
    wait_until("segments are spoken", lambda: made_segments(worker) >= spoken + _SEGMENTS, _SPLIT_SECONDS)
    peaks = [each.peak_mb() for each in measured]
    running.client.cancel(job)
    running.until_idle()
    return peaks
