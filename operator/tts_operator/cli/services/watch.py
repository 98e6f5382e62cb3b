"""`kubectl tts status --watch`: prints each change until the rollout is over."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, field, replace

from tts_operator.cli.kubectl import CALL_SECONDS, Kubectl
from tts_operator.cli.output import printable_json
from tts_operator.cli.refused import RefusedError, UnreachableError
from tts_operator.cli.services.status import State, block, document, headline, state_of
from tts_operator.cli.view import Service
from tts_operator.cli.wording import Names, Typed, now

PERIOD = 1.5
"""Seconds between two polls. It polls because a missed intermediate state does not matter, and a watch would need to be
restarted when it breaks."""
FAILURES_MAX = 10
"""Consecutive polls that may fail: a restart of the API server does not end a rollout."""
FAILED, TIMED_OUT = 1, 124
CALL_SECONDS_MIN = 1.0
"""kubectl gets at least this long, even right before the timeout."""


def watch(kubectl: Kubectl, typed: Typed, *, timeout: float | None, as_json: bool) -> int:
    """Print the status and each change until the rollout is over, or `timeout` seconds. Returns the exit code."""
    printer = _Printer(kubectl, typed, as_json=as_json)
    service = printer.first(kubectl.service(typed.name))
    deadline = None if timeout is None else time.monotonic() + timeout
    failures = 0
    while not (state := state_of(service)).over:
        left = CALL_SECONDS if deadline is None else deadline - time.monotonic()
        if left <= 0:
            print(f"error: still in progress after {timeout:g} s", file=sys.stderr)
            return TIMED_OUT
        time.sleep(min(PERIOD, left))
        try:
            limited = replace(kubectl, seconds=min(CALL_SECONDS, max(CALL_SECONDS_MIN, left)))
            service = printer.next(limited.service(typed.name))
            failures = 0
        except UnreachableError as error:
            failures += 1
            if failures >= FAILURES_MAX:
                raise
            if failures == 1:
                print(f"retrying: {error}", file=sys.stderr)
    printer.last(service, state)
    return 0 if state.good else FAILED


@dataclass
class _Printer:
    """Prints the changes of a service."""

    kubectl: Kubectl
    typed: Typed
    as_json: bool
    names: Names = field(default_factory=lambda: Names(()))
    named: set[str] = field(default_factory=set)
    """Revision names in the service's status when the revisions were last read."""
    generation: int = 0
    """Generation of the service at that time: a new spec may give an old revision a new number."""
    line: str = ""

    def first(self, service: Service) -> Service:
        """Print everything. Returns the service without a stale undo."""
        service = self._refresh(service)
        self.line = self._line(service)
        print(self.line if self.as_json else block(service, self.names, self.typed, now()), flush=True)
        return service

    def next(self, service: Service) -> Service:
        """Print one line if something changed. Raises RefusedError if the service is being deleted."""
        if service.deleting:
            raise RefusedError(f"{service.name} is being deleted")
        service = self._refresh(service)
        line = self._line(service)
        if line != self.line:
            print(line if self.as_json else f"{now().astimezone():%H:%M:%S}  {line}", flush=True)
        self.line = line
        return service

    def last(self, service: Service, state: State) -> None:
        """After a failure, print everything once more."""
        if not self.as_json and not state.good:
            print(block(service, self.names, self.typed, now()), flush=True)

    def _refresh(self, service: Service) -> Service:
        """Read the revisions again if the service names others than before."""
        rollout = service.rollout.revision if service.rollout else ""
        named = {service.current, service.target, service.undone_to, rollout} - {""}
        if not named <= self.named or service.generation != self.generation:
            self.names, self.named = Names(self.kubectl.revisions(self.typed.name)), named
            self.generation = service.generation
        return service.beside(self.names.revisions)

    def _line(self, service: Service) -> str:
        if self.as_json:
            return printable_json(document(service, self.names))
        text, message = headline(service, self.names, now()), service.rollout.message if service.rollout else ""
        return f"{text}; {message}" if message else text
