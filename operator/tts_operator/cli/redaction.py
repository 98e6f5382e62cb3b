"""Hides what is likely to be a secret."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

# OTEL_EXPORTER_OTLP_HEADERS has the token of a collector.
SECRET_NAME = re.compile(
    r"PASSW|SECRET|TOKEN|CREDENTIAL|HEADERS|AUTH|(^|[_-])(API|ACCESS|PRIVATE)?[_-]?KEYS?([_-]|$)", re.IGNORECASE
)
SECRET_FIELD = re.compile(rf"{SECRET_NAME.pattern}|key(s|id)?$", re.IGNORECASE)
URL_PASSWORD = re.compile(r"(?<=://)[^/@\s]*:[^/@\s]+(?=@)")
BEARER = re.compile(r"(?<=bearer )[^\s\"',;]+", re.IGNORECASE)
# Of spec.backend.upstream, and the variables of a pod that have it as JSON. It goes to other servers as it is.
FREE_FORM = "body"
FREE_FORM_VARIABLES = ("TTS_UPSTREAM_BODY", "TTS_UPSTREAM_VOICES")
JWT = re.compile(r"eyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]*")


def text_without_secrets(text: str) -> str:
    """Return a text, such as a log, without passwords in URLs and without tokens."""
    for pattern in (URL_PASSWORD, BEARER, JWT):
        text = pattern.sub("(hidden)", text)
    return text


def without_tokens(node: Any) -> Any:
    """Return a copy of what JSON can hold, with the tokens and passwords in its strings hidden."""
    if isinstance(node, dict):
        return {key: without_tokens(value) for key, value in node.items()}
    if isinstance(node, list):
        return [without_tokens(each) for each in node]
    return text_without_secrets(node) if isinstance(node, str) else node


@dataclass
class Hidden:
    """Replaces likely secrets with numbers. Equal secrets get equal numbers, so that a change shows."""

    numbers: dict[str, int] = field(default_factory=dict)

    def without(self, node: Any, *, free_form: bool = False) -> Any:
        """Return a copy without the secrets. In what is ``free_form``, names of fields may suggest one too."""
        if isinstance(node, list):
            return [self.without(each, free_form=free_form) for each in node]
        if isinstance(node, str):
            return URL_PASSWORD.sub(lambda found: self._number(found[0]), node)
        if not isinstance(node, dict):
            return node
        plain = {key: self._field(key, value, free_form=free_form) for key, value in node.items()}
        name, value = str(node.get("name", "")), node.get("value")
        if isinstance(value, str) and SECRET_NAME.search(name):
            plain["value"] = self._number(value)
        elif isinstance(value, str) and value and name in FREE_FORM_VARIABLES:
            plain["value"] = self._json_without(value)
        return plain

    def _field(self, key: str, value: Any, *, free_form: bool) -> Any:
        if free_form and SECRET_FIELD.search(key):
            return self._hidden(value)
        return self.without(value, free_form=free_form or key == FREE_FORM)

    def _hidden(self, node: Any) -> Any:
        """Return a copy in which all strings are hidden."""
        if isinstance(node, dict):
            return {key: self._hidden(value) for key, value in node.items()}
        if isinstance(node, list):
            return [self._hidden(each) for each in node]
        return self._number(node) if isinstance(node, str) else node

    def _json_without(self, text: str) -> str:
        try:
            return json.dumps(self.without(json.loads(text), free_form=True), ensure_ascii=False)
        except (ValueError, RecursionError):  # someone has edited the pod
            return self._number(text)

    def _number(self, secret: str) -> str:
        return f"(hidden {self.numbers.setdefault(secret, len(self.numbers) + 1)})"
