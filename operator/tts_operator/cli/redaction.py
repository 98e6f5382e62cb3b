"""Hides what is likely to be a secret."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

# OTEL_EXPORTER_OTLP_HEADERS has the token of a collector.
SECRET_NAME = re.compile(
    r"PASSW|SECRET|TOKEN|CREDENTIAL|HEADERS|AUTH|(^|[_-])(API|ACCESS|PRIVATE)?[_-]?KEYS?([_-]|$)", re.IGNORECASE
)
URL_PASSWORD = re.compile(r"(?<=://)[^/@\s]*:[^/@\s]+(?=@)")
BEARER = re.compile(r"(?<=bearer )[^\s\"',;]+", re.IGNORECASE)
JWT = re.compile(r"eyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]*")


def text_without_secrets(text: str) -> str:
    """Return a text, such as a log, without passwords in URLs and without tokens."""
    for pattern in (URL_PASSWORD, BEARER, JWT):
        text = pattern.sub("(hidden)", text)
    return text


@dataclass
class Hidden:
    """Replaces likely secrets with numbers. Equal secrets get equal numbers, so that a change shows."""

    numbers: dict[str, int] = field(default_factory=dict)

    def without(self, node: Any) -> Any:
        """Return a copy without the secrets."""
        if isinstance(node, list):
            return [self.without(each) for each in node]
        if isinstance(node, str):
            return URL_PASSWORD.sub(lambda found: self._number(found[0]), node)
        if not isinstance(node, dict):
            return node
        plain = {key: self.without(value) for key, value in node.items()}
        if isinstance(node.get("value"), str) and SECRET_NAME.search(str(node.get("name", ""))):
            plain["value"] = self._number(node["value"])
        return plain

    def _number(self, secret: str) -> str:
        return f"(hidden {self.numbers.setdefault(secret, len(self.numbers) + 1)})"
