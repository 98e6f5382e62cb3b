"""`kubectl tts status`, once or until the rollout is over."""

from __future__ import annotations

import argparse
import datetime
import json
import sys
import time
from dataclasses import dataclass, field, replace

from tts_operator.cli.kubectl import CALL_SECONDS, Kubectl
from tts_operator.cli.refused import RefusedError, UnreachableError
from tts_operator.cli.status import State, block, document, headline, state_of
from tts_operator.cli.view import Service
from tts_operator.cli.wording import Names, Typed

PERIOD = 1.5
"""Seconds between two looks. Looks, not a watch: what is missed between two of them does not matter, and a watch that
breaks would have to be begun again."""
FAILURES = 10
"""So many looks in a row may fail: an API server that restarts is no end of a rollout."""
FAILED, TIMED_OUT = 1, 124
LEAST_SECONDS = 1.0
"""kubectl gets at least so long, also right before the time-out."""


def status(kubectl: Kubectl, typed: Typed, arguments: argparse.Namespace) -> int:
    """Print the status, and with `--watch` each change of it. Returns the exit code."""
    printer = _Printer(kubectl, typed, as_json=arguments.output == "json", watches=arguments.watch)
    service = printer.first(kubectl.service(typed.name))
    if not arguments.watch:
        return 0
    deadline = None if arguments.timeout is None else time.monotonic() + arguments.timeout
    failures = 0
    while not (state := state_of(service)).over:
        left = CALL_SECONDS if deadline is None else deadline - time.monotonic()
        if left <= 0:
            print(f"error: still going on after {arguments.timeout:g} s", file=sys.stderr)
            return TIMED_OUT
        time.sleep(min(PERIOD, left))
        try:
            patient = replace(kubectl, seconds=min(CALL_SECONDS, max(LEAST_SECONDS, left)))
            service = printer.next(patient.service(typed.name))
            failures = 0
        except UnreachableError as error:
            failures += 1
            if failures >= FAILURES:
                raise
            if failures == 1:
                print(f"trying again: {error}", file=sys.stderr)
    printer.last(service, state)
    return 0 if state.good else FAILED


@dataclass
class _Printer:
    """Prints what is new about a service."""

    kubectl: Kubectl
    typed: Typed
    as_json: bool
    watches: bool
    names: Names = field(default_factory=lambda: Names(()))
    named: set[str] = field(default_factory=set)
    """Names of revisions that the service had when the revisions were read."""
    generation: int = 0
    """Of the service, at that time: a new spec may give an old revision a new number."""
    line: str = ""

    def first(self, service: Service) -> Service:
        """Print all there is to say. Returns the service as it is beside its revisions."""
        service = self._learn(service)
        self.line = self._line(service)
        print(self.line if self.as_json else block(service, self.names, self.typed, _now()), flush=True)
        return service

    def next(self, service: Service) -> Service:
        """The same, but a line, where something is new. Raises RefusedError where the service goes away."""
        if service.deleting:
            raise RefusedError(f"{service.name} is being deleted")
        service = self._learn(service)
        line = self._line(service)
        if line != self.line:
            print(line if self.as_json else f"{_now().astimezone():%H:%M:%S}  {line}", flush=True)
        self.line = line
        return service

    def last(self, service: Service, state: State) -> None:
        """Where it went wrong, say all of it once more."""
        if not self.as_json and not state.good:
            print(block(service, self.names, self.typed, _now()), flush=True)

    def _learn(self, service: Service) -> Service:
        """Read the revisions where the service names others than before."""
        rollout = service.rollout.revision if service.rollout else ""
        named = {service.current, service.target, service.undone_to, rollout} - {""}
        if not named <= self.named or service.generation != self.generation:
            self.names, self.named = Names(self.kubectl.revisions(self.typed.name)), named
            self.generation = service.generation
        return service.beside(self.names.revisions)

    def _line(self, service: Service) -> str:
        if self.as_json:
            body = document(service, self.names)
            return json.dumps(body, indent=None if self.watches else 2, ensure_ascii=False)
        text, message = headline(service, self.names, _now()), service.rollout.message if service.rollout else ""
        return f"{text}; {message}" if message else text


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.timezone.utc)
