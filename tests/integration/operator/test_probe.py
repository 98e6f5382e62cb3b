"""Probes of nodes, over real sockets."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from tts_operator.fencing.probe import Target, probe


@pytest.fixture
def listening() -> Iterator[Target]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield Target(*server.getsockname())


@pytest.fixture
def silent() -> Iterator[Target]:
    """A server whose accept queue is full, so that the kernel drops new connections."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server, ExitStack() as stack:
        address = server.getsockname()
        for _ in range(4):
            waiting = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK))
            waiting.connect_ex(address)
        yield Target(*address)


async def test_who_listens_and_who_refuses_answers(listening: Target, silent: Target) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        refusing = Target(*closed.getsockname())
    assert await probe([listening, refusing, silent], seconds=0.3) == {listening, refusing}


async def test_a_loop_that_is_late_takes_nobody_for_silent(listening: Target) -> None:
    async def starve() -> None:
        time.sleep(0.5)  # noqa: ASYNC251 - that is the point

    probing = asyncio.create_task(probe([listening], seconds=0.1))
    starving = asyncio.create_task(starve())
    assert await probing == {listening}
    await starving


async def test_a_server_that_never_accepts_answers_all_the_same() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:
        target = Target(*server.getsockname())
        for _ in range(20):
            assert await probe([target], seconds=0.3) == {target}


async def test_no_address_is_no_answer() -> None:
    assert await probe([Target("not an address", 7860), Target("", 7860)], seconds=0.1) == set()


async def test_no_sockets_are_left_open(listening: Target, silent: Target) -> None:
    before = _sockets()
    for _ in range(5):
        await probe([listening, silent], seconds=0.05)
    assert _sockets() <= before  # what others have left may be closed meanwhile


def _sockets() -> set[str]:
    """The sockets that this process has open."""
    found = set()
    for descriptor in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # that of the folder itself
            found.add(str(descriptor.readlink()))
    return {each for each in found if each.startswith("socket:")}
