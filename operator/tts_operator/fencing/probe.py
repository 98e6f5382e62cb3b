"""Whether a machine answers at all: one TCP handshake, judged by what the kernel knows of it."""

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
"""Between two looks at the connections that are under way: the first answers come at once."""
ANSWERS = {0, errno.ECONNREFUSED, errno.ECONNRESET}
"""What an attempt to connect ends in where somebody is there: a refusal is an answer too."""

NO_WAY = {errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ETIMEDOUT, errno.EHOSTDOWN, errno.ENETDOWN}
"""What it ends in at once where the network knows no way. Any other error is our own: too many files, no ports left."""


class Target(NamedTuple):
    """Where to knock."""

    address: str
    """An IP address."""
    port: int


async def probe(targets: Collection[Target], *, seconds: float) -> set[Target]:
    """Those of the targets that answer within so many seconds. Raises OSError where this machine lacks what it takes.

    The handshake is between two kernels: a process that is busy, or starved of CPU, on either side makes no difference.
    So after a late wake-up it is not the clock that decides, but whether the connection is there by then.
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
    """A connection under way; None where there is no way at all. Raises OSError where this machine is at fault."""
    family = socket.AF_INET6 if ":" in target.address else socket.AF_INET
    try:
        socket.inet_pton(family, target.address)  # of a name DNS would be asked, and the loop would wait
    except OSError:
        return None
    made = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    error = made.connect_ex((target.address, target.port))
    if error in {errno.EINPROGRESS, *ANSWERS}:
        return made
    made.close()
    if error in NO_WAY:
        return None
    raise OSError(error, f"cannot start a connection: {os.strerror(error)}")
