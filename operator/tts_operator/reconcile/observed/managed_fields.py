"""Which fields of a live object we own (`managedFields`), and their values.

`extract` works like client-go's Extract functions (https://pkg.go.dev/k8s.io/client-go/applyconfigurations): applying
its result again changes nothing.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from tts_operator.json_object import Json


def fields_of(body: Mapping[str, Any], manager: str) -> Json:
    """The fields (fieldsV1) that `manager` owns through server-side apply; empty if it never applied."""
    for entry in body["metadata"].get("managedFields", ()):
        if entry["manager"] == manager and entry["operation"] == "Apply" and not entry.get("subresource"):
            fields: Json = entry.get("fieldsV1", {})
            return fields
    return {}


def extract(live: Mapping[str, Any], owned: Json) -> Json:
    """Return the fields of `live` that `owned` (fieldsV1) names."""
    return {name: _value(live[name], inner) for key, inner in owned.items() if (name := key.removeprefix("f:")) in live}


def _value(live: Any, owned: Json) -> Any:
    inner = {key: value for key, value in owned.items() if key != "."}
    if not inner:
        return live  # atomic
    if isinstance(live, dict):
        return extract(live, inner)
    if not isinstance(live, list):
        return live
    names = [(msgspec.json.decode(key[2:]), fields) for key, fields in inner.items() if key.startswith(("k:", "v:"))]
    return [found for item in live for name, fields in names if (found := _item(item, name, fields)) is not None]


def _item(item: Any, name: Any, fields: Json) -> Any:
    """Return the item if it has this key (`k:`) or value (`v:`), or None."""
    if not isinstance(name, dict) or not isinstance(item, dict):
        return item if item == name else None
    fits = all(item.get(key) == value for key, value in name.items())
    return _value(item, fields) if fits else None
