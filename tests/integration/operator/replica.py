"""The operator as a separate process: one of several replicas."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from devcluster.product import ROOT
from tests.integration.operator.world import IMAGE, World, until
from tts_operator.app import NamespacedName
from tts_operator.json_object import Json

LEASE = NamespacedName("tts-operator-system", "tts-operator")
KEY = NamespacedName("tts-operator-system", "tts-operator-key")
"""Those that the rights of install.yaml are for."""
START_SECONDS = 60.0


@dataclass
class Replica:
    """One process. Its identity starts with its name and is part of the user agent of its requests."""

    name: str
    process: asyncio.subprocess.Process
    log: Path

    def lines(self) -> list[Json]:
        """Its log."""
        complete = self.log.read_text().split("\n")[:-1]  # the last one may still be written
        return [json.loads(line) for line in complete if line.startswith("{")]

    def said(self, words: str) -> bool:
        """Whether its log contains these words."""
        return any(words in line["message"] for line in self.lines())

    async def page(self, path: str, *, accept: str = "*/*") -> tuple[int, str]:
        """Status and text of its HTTP endpoint; status 0 if it does not respond."""
        told = [line["message"] for line in self.lines() if "probes and metrics" in line["message"]]
        if not told:
            return 0, ""
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session,
            session.get(f"http://{told[0].rpartition(' ')[2]}{path}", headers={"Accept": accept}) as answer,
        ):
            return answer.status, await answer.text()

    async def until_ready(self) -> None:
        """Wait until its caches are filled."""

        async def ready() -> bool:
            assert self.process.returncode is None, self.log.read_text()
            return (await self.page("/readyz"))[0] == 200

        await until(ready, f"replica {self.name} is ready", patience=START_SECONDS)

    async def until_leading(self, *, patience: float = START_SECONDS) -> None:
        """Wait until it holds the lease."""

        async def leading() -> bool:
            return "tts_operator_leader 1.0" in (await self.page("/metrics"))[1]

        await until(leading, f"replica {self.name} leads", patience=patience)

    async def ended(self, seconds: float) -> int:
        """Its exit code. Raises TimeoutError if it does not exit in time."""
        return await asyncio.wait_for(self.process.wait(), seconds)

    def made(self, events: list[Json]) -> list[Json]:
        """The entries of the audit log that are this replica's."""
        return [event for event in events if f"({self.name}-" in event.get("userAgent", "")]


@asynccontextmanager
async def replica(world: World, name: str, folder: Path, *more: str, **variables: str) -> AsyncIterator[Replica]:
    """Run the operator in the world's namespace. Kill it if it still runs when the block ends.

    `more` are words of its command line, `variables` those of its environment.
    """
    kubeconfig = world.product.provider.kubeconfig().parent / "operator-test.kubeconfig"
    words = ["--namespace", world.namespace, "--lease", "/".join(LEASE), "--server-image", IMAGE]
    words += ["--http-address", "127.0.0.1:0", *more]
    environ = {**os.environ, "KUBECONFIG": str(kubeconfig), "PYTHONPATH": str(ROOT / "operator"), "POD_NAME": name}
    environ |= variables
    log = folder / f"{name}.log"
    with log.open("wb") as out:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tts_operator", "run", *words, cwd=ROOT, env=environ, stdout=out, stderr=out
        )
    try:
        yield Replica(name, process, log)
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGCONT)
            process.kill()
            await process.wait()
