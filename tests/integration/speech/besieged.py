"""Let pods at the addresses that are given speak, as many services at once as the operator ever checks.

Prints as JSON what it took: `peak` (the largest resident set, bytes), `blocked` (the longest time for which the event
loop did nothing else, seconds), and `summaries`. A process of its own, since a peak of memory never falls.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path

import aiohttp

from tts_operator.reconcile.analysis.runner import CHECKS_AT_ONCE, LATE_CHECKS
from tts_operator.speech.check import SpeechPlan, Target, check

TEXT = "妈" * 500
"""The longest text that a check may have: its answers may be the largest."""


async def _watch(longest: list[float]) -> None:
    while True:
        before = time.perf_counter()
        await asyncio.sleep(0.005)
        longest[0] = max(longest[0], time.perf_counter() - before - 0.005)


def _peak() -> int:
    """Not ru_maxrss: that begins with what the process that started this one has taken."""
    (line,) = [each for each in Path("/proc/self/status").read_text().splitlines() if each.startswith("VmHWM:")]
    return int(line.split()[1]) * 1024


async def _main(urls: list[str]) -> None:
    longest = [0.0]
    watch = asyncio.create_task(_watch(longest))
    plan = SpeechPlan(texts=[TEXT], max_seconds=60, attempts=1, repeats=0)
    pods = [Target(f"pod-{number}", url) for number, url in enumerate(urls)]
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=64), trust_env=False) as session:
        checks = (check(session, pods, plan) for _ in range(CHECKS_AT_ONCE + LATE_CHECKS))
        results = await asyncio.gather(*checks)
    watch.cancel()
    peak = _peak()
    sys.stdout.write(json.dumps({"peak": peak, "blocked": longest[0], "summaries": [each.summary for each in results]}))


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1:]))
