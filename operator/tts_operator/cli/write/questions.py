"""The questions of `kubectl tts new`, and what their answers mean."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

HOST = re.compile(r"(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)+")
NAME = re.compile(r"[a-z]([-a-z0-9]{0,48}[a-z0-9])?")
OBJECT = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")
REPLICAS_MAX = 1000


@dataclass(frozen=True, kw_only=True)
class Answers:
    """What the user wants."""

    name: str
    namespace: str
    access: str
    """`cluster`, `ingress`, or `gateway`."""
    host: str
    ingress_class: str
    issuer: str
    """cert-manager's Issuer; empty: no HTTPS."""
    gateway: str
    scaling: str
    """`fixed` or `load`."""
    fewest: int
    most: int
    strategy: str
    """`Rolling`, `Canary`, or `BlueGreen`."""
    keys: str
    """The Secret with API keys; empty: anybody may ask."""
    monitoring: bool


class Ask(Protocol):
    """Asks for one answer."""

    def __call__(self, question: str, default: str, check: Callable[[str], str]) -> str:
        """Ask until `check` finds nothing wrong with the answer."""


def interview(ask: Ask, name: str | None) -> Answers:
    """Ask everything that has no answer yet."""
    name = name or ask("Name of the service", "narrator", _matches(NAME, "use lower-case letters, digits, and -"))
    namespace = ask("Namespace (empty: that of kubectl)", "", _matches(OBJECT, "use lower-case letters, digits, and -"))
    access = ask("Who calls it: cluster, ingress, or gateway", "cluster", _one_of("cluster", "ingress", "gateway"))
    host = issuer = ingress_class = gateway = ""
    if access != "cluster":
        host = ask("Host name", f"{name}.example.com", _matches(HOST, "write a name such as speech.example.com"))
    if access == "ingress":
        ingress_class = ask("Ingress class (empty: the default one)", "nginx", _matches(OBJECT, "write nginx"))
        issuer = ask("cert-manager Issuer for HTTPS (empty: none)", "", _matches(OBJECT, "write its name"))
    if access == "gateway":
        gateway = ask("Name of the Gateway", "public", _matches(OBJECT, "write its name", empty=False))
    scaling = ask("Pods: fixed, or by load", "fixed", _one_of("fixed", "load"))
    fewest = int(ask("Number of pods" if scaling == "fixed" else "Fewest pods", "3", _number(1)))
    most = fewest
    if scaling == "load":
        most = int(ask("Most pods", str(max(10, fewest)), _number(fewest)))
    strategy = ask("New versions: Rolling, Canary, or BlueGreen", "Rolling", _one_of("Rolling", "Canary", "BlueGreen"))
    keys = ask(
        "Secret with API keys (empty: anybody who reaches it may use it)", "", _matches(OBJECT, "write its name")
    )
    monitoring = ask("Does the cluster have the Prometheus operator: yes or no", "no", _one_of("yes", "no")) == "yes"
    return Answers(
        name=name,
        namespace=namespace,
        access=access,
        host=host,
        ingress_class=ingress_class,
        issuer=issuer,
        gateway=gateway,
        scaling=scaling,
        fewest=fewest,
        most=most,
        strategy=strategy,
        keys=keys,
        monitoring=monitoring,
    )


def _matches(pattern: re.Pattern[str], advice: str, *, empty: bool = True) -> Callable[[str], str]:
    return lambda answer: "" if (empty and not answer) or pattern.fullmatch(answer) else advice


def _one_of(*words: str) -> Callable[[str], str]:
    return lambda answer: "" if answer in words else f"write {', '.join(words[:-1])}, or {words[-1]}"


def _number(least: int) -> Callable[[str], str]:
    def check(answer: str) -> str:
        good = re.fullmatch(r"\d{1,4}", answer, re.ASCII) and least <= int(answer) <= REPLICAS_MAX
        return "" if good else f"write a whole number from {least} to {REPLICAS_MAX}"

    return check
