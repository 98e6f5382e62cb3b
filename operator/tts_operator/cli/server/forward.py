"""A port-forward to the server of a service."""

from __future__ import annotations

import re
from http.client import HTTPConnection

from tts_operator.cli.kubectl import Kubectl
from tts_operator.cli.server.tunnel import Tunnel

POD_SECONDS = 10
"""How long kubectl waits for a pod if the service has none."""
ADDRESS = "127.0.0.1"
LISTENS = re.compile(r"Forwarding from 127\.0\.0\.1:(\d{1,5}) -> ")


class Forward(Tunnel):
    """A port of this machine that leads to one pod of a service."""

    prefix = ""

    def __init__(self, kubectl: Kubectl, service: str) -> None:
        """Start to listen at a free port. Raises UnreachableError."""
        self._service = service
        limit = f"--pod-running-timeout={POD_SECONDS}s"
        words = ("port-forward", f"service/{service}", ":http", f"--address={ADDRESS}", limit, *kubectl.flags)
        super().__init__(words, LISTENS)

    @property
    def port(self) -> int:
        """The port."""
        return int(self.found[1]) if self.found else 0

    def connection(self, timeout: float) -> HTTPConnection:
        """Return a new connection. `timeout` is in seconds."""
        return HTTPConnection(ADDRESS, self.port, timeout=timeout)

    def reason(self) -> str:
        """Why kubectl does not listen."""
        if "timed out waiting for the condition" in self.streams.errors:
            name = self._service
            return f"the Service {name!r} leads to no running pod; `kubectl describe tts {name}` shows why"
        return self.streams.errors.removeprefix("error: ") or "kubectl port-forward does not listen at any port"
