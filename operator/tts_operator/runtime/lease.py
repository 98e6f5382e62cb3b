"""Leader election over one object that is written only where it has not changed since it was read.

After client-go's leaderelection (https://pkg.go.dev/k8s.io/client-go/tools/leaderelection): times of other machines are
never compared with our own clock; a lease has run out when we have seen no change of it for as long as it was to last.
Two holders at once are impossible as long as no machine's clock runs a third faster than another's.
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
    """The lease could not be renewed in time, or somebody else has it: no more may be written."""


class LeaseStore(Protocol):
    """One Lease of coordination.k8s.io. Failures are exceptions; one with `status` 409 is a conflict."""

    async def get(self) -> Json | None:
        """The object; None where there is none."""

    async def create(self, spec: Json) -> Json:
        """Make it; a conflict where it exists."""

    async def replace(self, body: Json) -> Json:
        """Write it; a conflict where it has changed since `body` was read."""


@dataclass(frozen=True, kw_only=True)
class Timing:
    """Seconds. A holder gives up well before anybody may take over: what it has sent by then is done by then."""

    duration: float = 12.0
    renew_every: float = 3.0
    give_up_after: float = 8.0
    answer_within: float = 2.0
    """A request that has no answer by then is made anew: the one that hangs must not use up the time of the others."""
    look_every: float = 1.2
    """How often one who waits looks, with jitter of a quarter; and so the longest wait after a release."""


class Elector:
    """Gets the lease, keeps it, gives it back."""

    def __init__(
        self,
        store: LeaseStore,
        identity: str,
        *,
        timing: Timing | None = None,
        now: Callable[[], datetime.datetime] = lambda: datetime.datetime.now(datetime.UTC),
    ) -> None:
        """`identity` must be another for each process. `now` is only told to people."""
        self.identity = identity
        self._store = store
        self._timing = timing or Timing()
        self._now = now
        self._body: Json | None = None
        self._held_until = 0.0
        self._seen: tuple[str, float] | None = None

    @property
    def leading(self) -> bool:
        """Whether we may write now. False in time also where this process was asleep meanwhile."""
        return time.monotonic() < self._held_until

    async def acquire(self) -> None:
        """Return as soon as the lease is ours."""
        failing = False
        while not self.leading:
            try:
                wait = await self._try()
                failing = False
            except Exception as error:  # noqa: BLE001 - whatever it is, the lease is worth another try
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
        """Renew the lease for ever. Raises LeaseLostError at the moment from which on nothing may be written."""
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
        """Give the lease back, so that another need not wait for its end. Nothing may be written after this."""
        if self._body is None or not self.leading:
            return
        self._held_until = 0.0
        try:
            try:
                await self._empty(self._body)
            except Exception as error:
                if not _conflict(error):
                    raise
                body = await self._answer(self._store.get())  # a renewal whose answer we did not wait for
                if body is not None and body["spec"].get("holderIdentity") == self.identity:
                    await self._empty(body)
        except Exception as error:  # noqa: BLE001 - it runs out by itself
            _log.warning("could not release the lease; it will expire: %s", str(error) or type(error).__name__)
        self._body = None

    async def _empty(self, body: Json) -> None:
        spec = body["spec"] | {"holderIdentity": "", "leaseDurationSeconds": 1, "renewTime": self._stamp()}
        await self._answer(self._store.replace(body | {"spec": spec}))

    async def _try(self) -> float:
        """Take the lease if it is free. Returns the seconds after which to look again."""
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
        """What the store answers, if it does so in time.

        A write that is given up may be carried out all the same: then the next one is a conflict, and who has the
        lease is looked up.
        """
        async with asyncio.timeout(self._timing.answer_within):
            return await request

    def _took(self, body: Json, begun: float) -> None:
        self._body = body
        # From before the request was sent: the others count from after it was answered.
        self._held_until = begun + self._timing.give_up_after

    async def _renew(self) -> None:
        """Renew the lease again and again; return where it has run out."""
        assert self._body is not None  # noqa: S101 - `acquire` comes first
        while True:
            await asyncio.sleep(self._timing.renew_every * random.uniform(0.9, 1.0))  # noqa: S311 - no secret
            while True:
                if not self.leading:  # this process was asleep
                    return
                begun = time.monotonic()
                try:
                    spec = self._spec(self._body["spec"], taken=False)
                    self._took(await self._answer(self._store.replace(self._body | {"spec": spec})), begun)
                    break
                except Exception as error:  # noqa: BLE001 - until time is up
                    _log.warning("lease renewal failed: %s", str(error) or type(error).__name__)
                    if _conflict(error):
                        await self._look_who_has_it()
                await asyncio.sleep(random.uniform(0.3, 0.6))  # noqa: S311 - no secret

    async def _look_who_has_it(self) -> None:
        """Our own write may have been in time though its answer was lost; any other holder ends ours."""
        try:
            body = await self._answer(self._store.get())
        except Exception as error:  # noqa: BLE001 - the next try tells
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
