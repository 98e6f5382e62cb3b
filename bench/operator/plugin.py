"""kubectl tts among many services: how long its commands take, with the start of its process."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from pathlib import Path

from bench.cluster.namespace import BenchError
from bench.figures import Figure, series
from devcluster import binaries
from devcluster.progress import Progress

LIMIT_SECONDS = 1.0
TIMEOUT_SECONDS = 60.0


async def measure(kubeconfig: Path, namespace: str, service: str, tries: int, progress: Progress) -> list[Figure]:
    """List the services of all namespaces, and show one of them."""
    commands = {"get -A": ("get", "-A"), "status": ("status", service, f"--namespace={namespace}")}
    found: list[Figure] = []
    for name, words in commands.items():
        with progress.step(f"kubectl tts {name}, {tries} tries"):
            seconds = [await _seconds(kubeconfig, words) for _ in range(tries)]
        found += series(f"kubectl tts {name},", seconds, "s", p50=LIMIT_SECONDS)
    return found


async def _seconds(kubeconfig: Path, words: tuple[str, ...]) -> float:
    """How long one run takes. Raises BenchError if it fails."""
    folders = [str(Path(sys.executable).parent), str(binaries.path_of("kubectl").parent), os.environ["PATH"]]
    environment = {**os.environ, "PATH": os.pathsep.join(folders), "KUBECONFIG": str(kubeconfig)}
    begun = time.monotonic()
    process = await asyncio.create_subprocess_exec(
        "kubectl", "tts", *words, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            _, errors = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        raise BenchError(f"kubectl tts {words[0]} did not end within {TIMEOUT_SECONDS:.0f} s") from None
    if process.returncode:
        raise BenchError(f"kubectl tts {words[0]} failed: {errors.decode(errors='replace')}")
    return time.monotonic() - begun
