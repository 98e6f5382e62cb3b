"""What has been found out about a new revision beside what the API server tells: by listening, and from metrics."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Examination:
    """What is to be found out now."""

    subject: str
    """What it is about: findings count only for the subject that they were made for."""
    pods: Mapping[str, str]
    """Addresses (http://IP:PORT) of pods of the new revision, by name."""
    stable: Mapping[str, str] = field(default_factory=dict)
    """The same of the revision that serves."""
    speaks: bool
    """True: whether they speak. False: how they do with the traffic that they have."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """Something that speaks against a new revision."""

    reason: str
    """One CamelCase word."""
    message: str


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What has been found out so far about one subject."""

    subject: str = ""
    passed: str = ""
    """How the pods have spoken, in words, once all have; empty before."""
    finding: Finding | None = None


NOTHING = Evidence()


def addresses(pods: Sequence[Mapping[str, object]], port: int) -> dict[str, str]:
    """Where pods answer, by their name; without those that have no address yet."""
    found: dict[str, str] = {}
    for pod in pods:
        metadata, status = pod["metadata"], pod.get("status", {})
        assert isinstance(metadata, dict)  # noqa: S101 - for the type checker
        assert isinstance(status, dict)  # noqa: S101 - for the type checker
        if ip := status.get("podIP"):
            found[metadata["name"]] = f"http://[{ip}]:{port}" if ":" in ip else f"http://{ip}:{port}"
    return found
