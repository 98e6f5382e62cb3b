"""Settings of the operator process, and how to parse them from the command line."""

import os
import re
import socket
import uuid
from dataclasses import dataclass, field
from typing import NamedTuple

from tts_operator.desired import Defaults
from tts_operator.kube.resources import CHILDREN, DISPENSABLE, Resource
from tts_operator.policy import Policy

NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
"""A namespace name (RFC 1123)."""


class ListenAddress(NamedTuple):
    """An address to listen on."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> "ListenAddress | None":
        """Parse HOST:PORT, or [HOST]:PORT for IPv6; None for an empty text. Raises ValueError."""
        if not text:
            return None
        host, colon, port = text.rpartition(":")
        if not colon or not port.isdigit() or int(port) > 65535:  # noqa: PLR2004 - TCP
            raise ValueError(f"{text!r}: write HOST:PORT, such as 0.0.0.0:8080, or leave it empty to listen nowhere")
        return cls(host.strip("[]"), int(port))


class NamespacedName(NamedTuple):
    """The namespace and name of an object."""

    namespace: str
    name: str

    @classmethod
    def parse(cls, text: str, *, empty: str) -> "NamespacedName | None":
        """Parse NAMESPACE/NAME; None for an empty text. Raises ValueError.

        `empty` completes the error message: what leaving it empty does.
        """
        if not text:
            return None
        namespace, _, name = text.partition("/")
        if not namespace or not name or "/" in name:
            raise ValueError(f"{text!r}: write NAMESPACE/NAME, or leave it empty to {empty}")
        return cls(namespace, name)


def parse_lease(text: str) -> NamespacedName | None:
    """Parse the Lease that the leader holds; None for an empty text. Raises ValueError."""
    return NamespacedName.parse(text, empty="run without leader election")


def parse_key_secret(text: str) -> NamespacedName | None:
    """Parse the Secret that the replicas share; None for an empty text. Raises ValueError."""
    return NamespacedName.parse(text, empty="use temporary keys")


def parse_namespaces(text: str) -> tuple[str, ...]:
    """Parse NAMESPACE,NAMESPACE; empty for an empty text. Raises ValueError."""
    names = [name.strip() for name in text.split(",")] if text.strip() else []
    for name in names:
        if not NAMESPACE.fullmatch(name):
            raise ValueError(
                f"{name!r} in {text!r} is not a valid namespace name: separate names with commas, such as "
                "speech,shop, or leave it empty to serve all namespaces"
            )
    return tuple(dict.fromkeys(names))


def parse_kinds(text: str) -> frozenset[Resource]:
    """Parse KIND,KIND into child kinds; empty for an empty text. Raises ValueError."""
    kinds = {resource.kind: resource for resource in DISPENSABLE}
    names = [name.strip() for name in text.split(",")] if text.strip() else []
    for name in names:
        if name not in kinds:
            needed = any(resource.kind == name for resource in CHILDREN)
            why = "no TTSService works without it" if needed else "there is no such child kind"
            raise ValueError(f"{name!r} in {text!r}: {why}; choose from {', '.join(sorted(kinds))}")
    return frozenset(kinds[name] for name in names)


def parse_runbooks(text: str) -> str:
    """Check the address of runbooks; an empty text stays one. Raises ValueError."""
    if text and not re.fullmatch(r"https?://[^\s{}]+[{]alert[}][^\s{}]*", text):
        raise ValueError(
            f"{text!r}: write an address with {{alert}} for the alert's name, such as "
            "https://wiki.example.com/tts/{alert}, or leave it empty if the runbooks are not published"
        )
    return text


def own_identity() -> str:
    """The identity of this process in the leader election: the pod's name and a random suffix."""
    return f"{os.environ.get('POD_NAME') or socket.gethostname()}-{uuid.uuid4().hex[:8]}"


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The settings of one operator process."""

    defaults: Defaults
    namespaces: tuple[str, ...] = ()
    """Namespaces to serve; all if empty."""
    without: frozenset[Resource] = frozenset()
    """Disabled child kinds: neither watched nor created, and without rights."""
    lease: NamespacedName | None = None
    """The Lease to hold while writing; None for no leader election."""
    key: NamespacedName | None = None
    """The Secret to derive all keys from; None for temporary keys."""
    http: ListenAddress | None = None
    """The address of probes and metrics; None for none."""
    policy: Policy = field(default_factory=Policy)
    """What TTSServices may use."""
    identity: str = field(default_factory=own_identity)
    fencing: bool = True
    """Whether to take pods on unreachable nodes out of their Services."""
    peers: str = ""
    """Label selector by which the operator's replicas find each other; empty for none."""
    pod_name: str = ""
    """Name of this process's pod."""
