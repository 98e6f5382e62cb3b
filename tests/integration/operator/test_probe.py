"""Probes of nodes, over real sockets."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import Iterator

import pytest

from tts_operator.fencing.probe import Target, probe

NOWHERE = Target("192.0.2.1", 7860)
"""TEST-NET-1 (RFC 5737): nobody answers, or there is no way."""


@pytest.fixture
def listening() -> Iterator[Target]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield Target(*server.getsockname())


async def test_who_listens_and_who_refuses_answers(listening: Target) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        refusing = Target(*closed.getsockname())
    assert await probe([listening, refusing, NOWHERE], seconds=0.3) == {listening, refusing}


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


async def test_no_sockets_are_left_open(listening: Target) -> None:
    before = len(_descriptors())
    for _ in range(5):
        await probe([listening, NOWHERE], seconds=0.05)
    assert len(_descriptors()) == before


def _descriptors() -> list[str]:
    return os.listdir("/proc/self/fd")
