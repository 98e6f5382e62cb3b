"""What holds in one namespace, and what is said where something is beyond it."""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from tts_operator.policy.images import repository
from tts_operator.policy.patterns import any_matches

SHOWN_MAX = 100
"""Longest value of a tenant's that is repeated in a message, in characters."""
TEXT_MAX = 400
"""Longest message on one violation."""
TOLD_MAX = 6
"""So many violations are told one by one."""
_WORD = re.compile(r"[A-Za-z0-9$./_-]{1,127}")
PATTERNS_MAX = 8
"""So many patterns are listed."""


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """What TTSServices of one namespace may use; the fields are those of `Rules`, as patterns without placeholders."""

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

    def has_image(self, reference: str) -> bool:
        """Whether an image may be used; its tag and digest do not matter."""
        return any_matches(self.images, repository(reference))


@dataclass(frozen=True, kw_only=True)
class Violation:
    """One thing that is not allowed."""

    text: str
    """Which field of the TTSService, what is not allowed, and what is."""
    value: str = ""
    """The field of the policy by which it can be allowed; empty where it never is."""


def shown(value: Any) -> str:
    """A value that a tenant has written, on one line, and not too long."""
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list"
    text = json.dumps(value)
    return text if len(text) <= SHOWN_MAX else f"{text[:SHOWN_MAX]}..."


def word(text: str) -> str:
    """A name that a tenant has written, within a path."""
    return text if _WORD.fullmatch(text) else shown(text)


def allowed(patterns: Sequence[str]) -> str:
    """What is allowed, in words."""
    if not patterns:
        return "nothing is allowed there"
    more = f" and {len(patterns) - PATTERNS_MAX} more" if len(patterns) > PATTERNS_MAX else ""
    return f"allowed: {', '.join(patterns[:PATTERNS_MAX])}{more}"


def message(violations: Iterable[Violation], namespace: str) -> str:
    """All that is not allowed, in one message of bounded length, and who can allow it."""
    found = list(dict.fromkeys(violations))
    texts = [each.text if len(each.text) <= TEXT_MAX else f"{each.text[:TEXT_MAX]}..." for each in found[:TOLD_MAX]]
    more = f"; and {len(found) - TOLD_MAX} more" if len(found) > TOLD_MAX else ""
    values = list(dict.fromkeys(each.value for each in found if each.value))
    who = ""
    if values:
        general = " and ".join(f"policy.{value}" for value in values)
        special = " and ".join(f"policy.namespaces.{namespace}.{value}" for value in values)
        who = f". A cluster administrator can allow it: Helm value {general}, or for this namespace alone {special}"
    return f"{'; '.join(texts)}{more}{who}"
