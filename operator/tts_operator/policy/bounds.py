"""The rules for one namespace, and the messages about violations."""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from tts_operator.policy.images import repository
from tts_operator.policy.patterns import any_matches

SHOWN_MAX = 100
"""Longest tenant-supplied value in a message, in characters."""
TEXT_MAX = 400
"""Longest text about one violation, in characters."""
LISTED_MAX = 6
"""Maximum number of violations that a message lists."""
_WORD = re.compile(r"[A-Za-z0-9$./_-]{1,127}")
PATTERNS_MAX = 8
"""Maximum number of patterns that a message lists."""


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """The rules for one namespace: the fields of `Rules`, with placeholders filled in."""

    namespace: str
    restricted: bool
    images: tuple[str, ...]
    hosts: tuple[str, ...]
    ingress_annotations: tuple[str, ...]
    service_annotations: tuple[str, ...]
    service_types: tuple[str, ...]
    priority_classes: tuple[str, ...]
    issuers: tuple[str, ...]
    prometheus: tuple[str, ...]
    kafka_brokers: tuple[str, ...]
    s3_endpoints: tuple[str, ...]
    backends: tuple[str, ...]
    webhook_hosts: tuple[str, ...]

    def has_image(self, reference: str) -> bool:
        """Whether an image is allowed, whatever its tag and digest."""
        return any_matches(self.images, repository(reference))


@dataclass(frozen=True, kw_only=True)
class Violation:
    """A violation of the policy."""

    text: str
    """The field of the TTSService, what is not allowed, and what is."""
    value: str = ""
    """The policy field that can allow it; empty if it is never allowed."""


def shown(value: Any) -> str:
    """Format a tenant-supplied value on one line of bounded length."""
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list"
    text = json.dumps(value)
    return text if len(text) <= SHOWN_MAX else f"{text[:SHOWN_MAX]}..."


def word(text: str) -> str:
    """Format a tenant-supplied name within a path."""
    return text if _WORD.fullmatch(text) else shown(text)


def allowed(patterns: Sequence[str]) -> str:
    """Describe what is allowed."""
    if not patterns:
        return "nothing is allowed there"
    more = f" and {len(patterns) - PATTERNS_MAX} more" if len(patterns) > PATTERNS_MAX else ""
    return f"allowed: {', '.join(patterns[:PATTERNS_MAX])}{more}"


def refused(field: str, found: str, patterns: Sequence[str], value: str) -> Violation:
    """A value of a field that no pattern of the policy's field `value` matches."""
    return Violation(text=f"{field}: {shown(found)} is not allowed; {allowed(patterns)}", value=value)


def message(violations: Iterable[Violation], namespace: str) -> str:
    """Describe all violations in one message of bounded length, and say who can allow them."""
    found = list(dict.fromkeys(violations))
    texts = [each.text if len(each.text) <= TEXT_MAX else f"{each.text[:TEXT_MAX]}..." for each in found[:LISTED_MAX]]
    more = f"; and {len(found) - LISTED_MAX} more" if len(found) > LISTED_MAX else ""
    values = list(dict.fromkeys(each.value for each in found if each.value))
    who = ""
    if values:
        general = " and ".join(f"policy.{value}" for value in values)
        special = " and ".join(f"policy.namespaces.{namespace}.{value}" for value in values)
        who = f". A cluster administrator can allow it: Helm value {general}, or for this namespace alone {special}"
    return f"{'; '.join(texts)}{more}{who}"
