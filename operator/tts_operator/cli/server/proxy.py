"""The API server's proxy for Services: no port of this machine or of a pod is opened.

It cannot be used where the server wants an API key: the API server keeps the header Authorization for itself.

Source: https://kubernetes.io/docs/tasks/access-application-cluster/access-cluster-services/
"""

from __future__ import annotations

import re
import socket
import tempfile
from http.client import HTTPConnection
from pathlib import Path

from tts_operator.cli.kubectl import Kubectl
from tts_operator.cli.server.tunnel import Tunnel

LISTENS = re.compile(r"Starting to serve on ")


class Proxy(Tunnel):
    """A socket that leads to the Service, and nowhere else. Only the user can open it."""

    def __init__(self, kubectl: Kubectl, namespace: str, service: str) -> None:
        """Start to listen. Raises UnreachableError."""
        self.prefix = f"/api/v1/namespaces/{namespace}/services/{service}:http/proxy"
        self._folder = tempfile.TemporaryDirectory(prefix="kubectl-tts-")  # only the user may enter it
        self._socket = Path(self._folder.name) / "api"
        words = ("proxy", f"--unix-socket={self._socket}", f"--accept-paths=^{re.escape(self.prefix)}/", *kubectl.flags)
        super().__init__(words, LISTENS)

    def connection(self, timeout: float) -> HTTPConnection:
        """Return a new connection. `timeout` is in seconds."""
        return UnixConnection(self._socket, timeout)

    def close(self) -> None:
        """End kubectl, and remove the socket."""
        super().close()
        self._folder.cleanup()


class UnixConnection(HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: Path, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        """Connect."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))
