"""Probe whether a machine responds at all: one TCP handshake, judged by the kernel's state."""

import asyncio
import errno
import os
import select
import socket
import time
from collections.abc import Collection
from contextlib import ExitStack
from typing import NamedTuple

FIRST_LOOK_SECONDS, LAST_LOOK_SECONDS = 0.004, 0.1
"""Shortest and longest interval of polling the pending connections. Most answers come quickly."""
ANSWERS = {0, errno.ECONNREFUSED, errno.ECONNRESET}
"""Results that prove that the machine is there. A refusal is an answer too."""

UNREACHABLE = {errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ETIMEDOUT, errno.EHOSTDOWN, errno.ENETDOWN}
"""Immediate results if there is no route. Any other error is local, such as too many open files or no free ports."""


class Target(NamedTuple):
    """An address to probe."""

    address: str
    """An IP address."""
    port: int


async def probe(targets: Collection[Target], *, seconds: float) -> set[Target]:
    """Return the targets that answer within `seconds`. Raises OSError if this machine lacks the resources.

    The two kernels do the handshake, so a busy or CPU-starved process on either side makes no difference. After a late
    wake-up, the state of the connection decides, not the clock.
    """
    answered: set[Target] = set()
    with ExitStack() as stack:
        poller = select.poll()
        open_: dict[int, tuple[socket.socket, Target]] = {}
        for target in set(targets):
            begun = _begin(target)
            if begun is None:
                continue
            found = stack.enter_context(begun)
            open_[found.fileno()] = found, target
            poller.register(found, select.POLLOUT)
        end, pause = time.monotonic() + seconds, FIRST_LOOK_SECONDS
        while open_:
            last = time.monotonic() >= end
            for descriptor, _ in poller.poll(0):
                found, target = open_.pop(descriptor)
                poller.unregister(descriptor)
                if found.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) in ANSWERS:
                    answered.add(target)
            if last:
                break
            await asyncio.sleep(min(pause, max(0.0, end - time.monotonic())))
            pause = min(2 * pause, LAST_LOOK_SECONDS)
    return answered


def _begin(target: Target) -> socket.socket | None:
    """Start a connection; None if there is no route. Raises OSError for a local error."""
    family = socket.AF_INET6 if ":" in target.address else socket.AF_INET
    try:
        socket.inet_pton(family, target.address)  # a name would cause a DNS query that blocks the loop
    except OSError:
        return None
    made = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    error = made.connect_ex((target.address, target.port))
    if error in {errno.EINPROGRESS, *ANSWERS}:
        return made
    made.close()
    if error in UNREACHABLE:
        return None
    raise OSError(error, f"cannot start a connection: {os.strerror(error)}")
