"""Leader election with one object and optimistic locking.

Like client-go's leaderelection (https://pkg.go.dev/k8s.io/client-go/tools/leaderelection), it never compares timestamps
of other machines with its own clock. A lease has expired if it has not changed for its duration, as measured locally.
There are never two holders, as long as no machine's clock runs a third faster than another's.
"""

import asyncio
import datetime
import logging
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Protocol, TypeVar

from tts_operator.json_object import Json

Answer = TypeVar("Answer")

_log = logging.getLogger(__name__)


class LeaseLostError(Exception):
    """The lease was not renewed in time, or someone else has it. Nothing may be written any more."""


class LeaseStore(Protocol):
    """One Lease of coordination.k8s.io. Raises on failures. An exception whose `status` is 409 is a conflict."""

    async def get(self) -> Json | None:
        """Read the Lease; None if it does not exist."""

    async def create(self, spec: Json) -> Json:
        """Create the Lease. A conflict if it exists."""

    async def replace(self, body: Json) -> Json:
        """Write the Lease. A conflict if it has changed since `body` was read."""


@dataclass(frozen=True, kw_only=True)
class Timing:
    """Seconds. A holder gives up well before others may take over, so that its last requests are done by then."""

    duration: float = 12.0
    renew_every: float = 3.0
    give_up_after: float = 8.0
    answer_within: float = 2.0
    """Time limit of a request. A hanging one must not use up the time for retries."""
    look_every: float = 1.2
    """Polling interval of a standby, with 25 % jitter; also the longest wait after a release."""


class Elector:
    """Acquires, renews, and releases the lease."""

    def __init__(
        self,
        store: LeaseStore,
        identity: str,
        *,
        timing: Timing | None = None,
        now: Callable[[], datetime.datetime] = lambda: datetime.datetime.now(datetime.UTC),
    ) -> None:
        """`identity` must be unique for each process. `now` is for the Lease's timestamps, which only people read."""
        self.identity = identity
        self._store = store
        self._timing = timing or Timing()
        self._now = now
        self._body: Json | None = None
        self._held_until = 0.0
        self._seen: tuple[str, float] | None = None

    @property
    def leading(self) -> bool:
        """Whether this process may write now. Turns False in time even if the process was suspended."""
        return time.monotonic() < self._held_until

    async def acquire(self) -> None:
        """Wait until this process holds the lease."""
        failing = False
        while not self.leading:
            try:
                wait = await self._try()
                failing = False
            except Exception as error:  # noqa: BLE001 - retry after any error
                wait = self._look()
                if not _conflict(error):
                    _log.log(
                        logging.DEBUG if failing else logging.WARNING,
                        "cannot acquire lease; retrying: %s",
                        str(error) or type(error).__name__,
                    )
                    failing = True
            if not self.leading:
                await asyncio.sleep(wait)

    async def hold(self) -> None:
        """Renew the lease until it is lost. Raises LeaseLostError at the moment when writing must stop."""
        renewing = asyncio.create_task(self._renew())
        try:
            while (left := self._held_until - time.monotonic()) > 0:
                done, _ = await asyncio.wait({renewing}, timeout=left)
                if done:
                    renewing.result()
                    break
        finally:
            renewing.cancel()
            await asyncio.wait({renewing})
        raise LeaseLostError(f"could not renew the lease for {self._timing.give_up_after:.0f} s")

    async def release(self) -> None:
        """Release the lease, so that a standby need not wait for it to expire. Nothing may be written after this."""
        if self._body is None or not self.leading:
            return
        self._held_until = 0.0
        try:
            try:
                await self._empty(self._body)
            except Exception as error:
                if not _conflict(error):
                    raise
                body = await self._answer(self._store.get())  # a renewal may have succeeded without its response
                if body is not None and body["spec"].get("holderIdentity") == self.identity:
                    await self._empty(body)
        except Exception as error:  # noqa: BLE001 - it will expire
            _log.warning("could not release the lease; it will expire: %s", str(error) or type(error).__name__)
        self._body = None

    async def _empty(self, body: Json) -> None:
        spec = body["spec"] | {"holderIdentity": "", "leaseDurationSeconds": 1, "renewTime": self._stamp()}
        await self._answer(self._store.replace(body | {"spec": spec}))

    async def _try(self) -> float:
        """Take the lease if it is free. Returns the seconds until the next attempt."""
        body, begun = await self._answer(self._store.get()), time.monotonic()
        if body is None:
            self._took(await self._answer(self._store.create(self._spec({}, taken=True))), begun)
            return 0.0
        spec = body.get("spec") or {}
        if spec.get("holderIdentity") not in (None, "", self.identity):
            version = str(body["metadata"]["resourceVersion"])
            if self._seen is None or self._seen[0] != version:
                self._seen = version, time.monotonic()
                _log.debug("the lease is held by %s", spec["holderIdentity"])
            left = self._seen[1] + float(spec.get("leaseDurationSeconds") or 0) - time.monotonic()
            if left > 0:
                return min(left, self._look())
        begun = time.monotonic()
        self._took(await self._answer(self._store.replace(body | {"spec": self._spec(spec, taken=True)})), begun)
        return 0.0

    async def _answer(self, request: Awaitable[Answer]) -> Answer:
        """Await a request, with the time limit.

        A write may succeed even after its time limit. Then the next one is a conflict, and the holder is read again.
        """
        async with asyncio.timeout(self._timing.answer_within):
            return await request

    def _took(self, body: Json, begun: float) -> None:
        self._body = body
        # Count from before the request: others count from after it.
        self._held_until = begun + self._timing.give_up_after

    async def _renew(self) -> None:
        """Renew the lease periodically. Returns once it has expired."""
        assert self._body is not None  # noqa: S101 - `acquire` comes first
        while True:
            await asyncio.sleep(self._timing.renew_every * random.uniform(0.9, 1.0))  # noqa: S311 - no secret
            while True:
                if not self.leading:  # the process was suspended
                    return
                begun = time.monotonic()
                try:
                    spec = self._spec(self._body["spec"], taken=False)
                    self._took(await self._answer(self._store.replace(self._body | {"spec": spec})), begun)
                    break
                except Exception as error:  # noqa: BLE001 - retry until time is up
                    _log.warning("lease renewal failed: %s", str(error) or type(error).__name__)
                    if _conflict(error):
                        await self._check_holder()
                await asyncio.sleep(random.uniform(0.3, 0.6))  # noqa: S311 - no secret

    async def _check_holder(self) -> None:
        """Read the holder after a conflict. Our own write may have succeeded without its response."""
        try:
            body = await self._answer(self._store.get())
        except Exception as error:  # noqa: BLE001 - the next attempt will show
            _log.debug("cannot read the lease: %s", str(error) or type(error).__name__)
            return
        if body is None or (body.get("spec") or {}).get("holderIdentity") != self.identity:
            self._held_until = 0.0
            raise LeaseLostError("another process has taken or removed the lease")
        self._body = body

    def _spec(self, before: Json, *, taken: bool) -> Json:
        spec = before | {
            "holderIdentity": self.identity,
            "leaseDurationSeconds": int(self._timing.duration),
            "renewTime": self._stamp(),
        }
        if taken:
            changes = int(before.get("leaseTransitions") or 0)
            spec |= {"acquireTime": spec["renewTime"], "leaseTransitions": changes + 1 if before else 0}
        return spec

    def _stamp(self) -> str:
        return self._now().astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    def _look(self) -> float:
        return self._timing.look_every * random.uniform(0.75, 1.25)  # noqa: S311 - jitter, no secret


def _conflict(error: Exception) -> bool:
    return getattr(error, "status", None) == HTTPStatus.CONFLICT
