"""Detect drift: whether a live object matches its manifest, without any request.

Server-side apply records which fields we own (managedFields). An object matches if we own exactly the fields that we
would set, and each has our value. So a default of the API server is no difference, and neither is another manager's
field, list item, or container. A field that we no longer set is a difference, even after a restart of the operator.

The record also shows how the API server merges each list: by keys (`k:`), as a set (`v:`), or atomically. It does not
show which fields inside an atomic value are ours, so every field counts there unless it is a known default.
Source: https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management (fieldsV1)
"""

from functools import lru_cache
from typing import Any

import msgspec

from tts_operator.api.quantity import quantity
from tts_operator.json_object import Json
from tts_operator.reconcile.observed.managed_fields import fields_of

NOT_RECORDED = {"apiVersion", "kind"}
NOT_RECORDED_METADATA = {"name", "namespace"}
QUANTITIES = {"resources", "sizeLimit", "target", "tolerance"}
"""Fields that contain quantities, which the API server normalizes."""

DEFAULTS: dict[str, tuple[str | int, ...]] = {
    "apiVersion": ("v1",),  # fieldRef
    "defaultMode": (420,),  # volumes
    "expirationSeconds": (3600,),  # projected tokens
    "group": ("", "gateway.networking.k8s.io"),  # backendRefs, parentRefs
    "kind": ("Gateway", "Service"),
    "protocol": ("TCP",),
    "weight": (1,),
}
"""Defaults that the API server sets inside atomic values."""


def is_up_to_date(live: Json, desired: Json, manager: str) -> bool:
    """Whether applying `desired` as `manager` would change nothing of `live`."""
    owned = fields_of(live, manager)
    wanted = {key: value for key, value in desired.items() if key not in NOT_RECORDED}
    metadata = {key: value for key, value in desired["metadata"].items() if key not in NOT_RECORDED_METADATA}
    return _object(live, {**wanted, "metadata": metadata}, owned)


def has_template(live: Json, template: Json, manager: str) -> bool:
    """Whether a live Deployment was given exactly this pod template by `manager`."""
    owned = fields_of(live, manager).get("f:spec", {}).get("f:template")
    found = live["spec"].get("template")
    return bool(owned) and isinstance(found, dict) and _object(found, template, owned)


# Plain loops for speed: an operator that starts compares every child of every TTSService.
def _object(live: Any, desired: Json, owned: Json, *, quantities: bool = False) -> bool:
    if not isinstance(live, dict) or len(owned) - ("." in owned) != len(desired):
        return False
    for name, value in desired.items():
        recorded = owned.get("f:" + name)
        if recorded is None or name not in live:
            return False
        if not recorded and type(value) is str and live[name] == value:
            continue  # true for most fields; avoids a call
        if not _value(live[name], value, recorded, quantities=quantities or name in QUANTITIES):
            return False
    return True


def _value(live: Any, desired: Any, owned: Json, *, quantities: bool) -> bool:
    if not owned or (len(owned) == 1 and "." in owned):
        # An atomic value: a scalar, an atomic list or map, or an empty one.
        return _whole(live, desired, quantities=quantities)
    if isinstance(desired, dict):
        return _object(live, desired, owned, quantities=quantities)
    if not isinstance(live, list) or not isinstance(desired, list):
        return False
    if len(owned) - ("." in owned) != len(desired):
        return False
    return all(key == "." or _item(live, desired, key, recorded) for key, recorded in owned.items())


def _item(live: list[Any], desired: list[Any], key: str, owned: Json) -> bool:
    """Compare a list item that we own, identified by its key fields (k:) or its value (v:)."""
    name = _parsed(key)
    if key.startswith("v:"):
        return name in live and name in desired
    ours, theirs = _find(desired, name), _find(live, name)
    if ours is None or theirs is None:
        return False
    # An item may itself be atomic, as owner references are.
    return _object(theirs, ours, owned) if owned else _whole(theirs, ours, quantities=False)


def _find(items: list[Json], key: Json) -> Json | None:
    for item in items:
        if not isinstance(item, dict):  # podTemplate may contain anything
            continue
        for field, value in key.items():
            if item.get(field) != value:
                break
        else:
            return item
    return None


@lru_cache(maxsize=4096)
def _parsed(key: str) -> Any:
    return msgspec.json.decode(key[2:])


def _whole(live: Any, desired: Any, *, quantities: bool) -> bool:
    """Compare an atomic value. Without a record of which fields inside are ours, all of them are."""
    if live == desired and type(live) is type(desired) and not isinstance(desired, list):
        return True  # the common case, many times as fast
    if isinstance(desired, dict):
        return (
            isinstance(live, dict)
            and all(
                name in live and _whole(live[name], value, quantities=quantities) for name, value in desired.items()
            )
            and all(name in desired or _is_default(name, value) for name, value in live.items())
        )
    if isinstance(desired, list):
        return (
            isinstance(live, list)
            and len(live) == len(desired)
            and all(_whole(a, b, quantities=quantities) for a, b in zip(live, desired, strict=True))
        )
    if live == desired:
        return type(live) is type(desired) or not isinstance(desired, bool)
    return quantities and _same_quantity(live, desired)


def _is_default(name: str, value: Any) -> bool:
    """Whether a value may be a default of the API server."""
    return isinstance(value, str | int) and value in DEFAULTS.get(name, ())


def _same_quantity(live: Any, desired: Any) -> bool:
    try:
        return quantity(live) == quantity(desired)
    except ValueError:
        return False
