"""How one operator process runs, and what the command line's words for it mean."""

import os
import socket
import uuid
from dataclasses import dataclass, field
from typing import NamedTuple

from tts_operator.desired import Defaults


class Address(NamedTuple):
    """Where to listen."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> "Address | None":
        """From HOST:PORT, or [HOST]:PORT for IPv6; None for an empty text. Raises ValueError."""
        if not text:
            return None
        host, colon, port = text.rpartition(":")
        if not colon or not port.isdigit() or int(port) > 65535:  # noqa: PLR2004 - TCP
            raise ValueError(f"{text!r}: write HOST:PORT, such as 0.0.0.0:8080, or nothing to listen nowhere")
        return cls(host.strip("[]"), int(port))


class LeaseName(NamedTuple):
    """Which Lease the leader holds."""

    namespace: str
    name: str

    @classmethod
    def parse(cls, text: str) -> "LeaseName | None":
        """From NAMESPACE/NAME; None for an empty text. Raises ValueError."""
        if not text:
            return None
        namespace, _, name = text.partition("/")
        if not namespace or not name or "/" in name:
            raise ValueError(f"{text!r}: write NAMESPACE/NAME, or nothing to run without a leader election")
        return cls(namespace, name)


def own_identity() -> str:
    """The name of this process among the operator's replicas: the pod's, and something random."""
    return f"{os.environ.get('POD_NAME') or socket.gethostname()}-{uuid.uuid4().hex[:8]}"


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How one operator process runs."""

    defaults: Defaults
    namespace: str | None = None
    """Only this namespace is served; all if None."""
    lease: LeaseName | None = None
    """Write only while this is held; always if None."""
    http: Address | None = None
    """Where probes and metrics are answered; nowhere if None."""
    identity: str = field(default_factory=own_identity)
    fencing: bool = True
    """Whether pods on nodes that do not answer are taken out of their Services."""
    peers: str = ""
    """Label selector of the operator's own pods, by which its replicas find each other; none if empty."""
    pod_name: str = ""
    """Name of the own pod among them."""
