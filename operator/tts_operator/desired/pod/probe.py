"""How pods that require API keys authenticate the operator: variables in the pod template, and how to read them."""

from typing import Any, NamedTuple

from tts_operator.json_object import Json
from tts_operator.keyring import Keyring

CONTAINER = "server"
"""The model server's container in a pod template."""
_PUBLIC_KEY, _POD_UID = "TTS_PROBE_PUBLIC_KEY", "TTS_POD_UID"
_UID: Json = {"fieldRef": {"fieldPath": "metadata.uid"}}
_KEY_IS_UID: Json = {"name": "TTS_PROBE_KEY", "valueFrom": _UID}
"""In templates of older operators, which are kept with their revisions, the pod's uid is the key. It is not a secret:
it is in every pod's metrics, and anyone who can read pods can read it."""


class Admits(NamedTuple):
    """How the pods of a template authenticate the operator, in addition to the API keys of clients."""

    public_key: str = ""
    """The public key with which they verify tokens; empty if they accept none."""
    uid: bool = False
    """Whether they accept their own uid."""


def environment(keyring: Keyring) -> list[Json]:
    """The variables with which a pod authenticates the operator. None of them is a secret."""
    return [{"name": _PUBLIC_KEY, "value": keyring.public_key}, {"name": _POD_UID, "valueFrom": _UID}]


def admits(template: Json) -> Admits:
    """Read how the pods of a template authenticate the operator. Accepts any template, whatever it contains."""
    server = next((each for each in _objects(template.get("spec"), "containers") if each.get("name") == CONTAINER), {})
    env = _objects(server, "env")
    public_key = next((each.get("value") for each in env if each.get("name") == _PUBLIC_KEY), "")
    return Admits(public_key=public_key if isinstance(public_key, str) else "", uid=_KEY_IS_UID in env)


def _objects(holder: Any, field: str) -> list[Json]:
    """The objects in a list field, if it is one: podTemplate may contain anything."""
    found = holder.get(field) if isinstance(holder, dict) else None
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []
