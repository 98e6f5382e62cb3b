"""How pods that want API keys know the operator: what is put into their template, and what a template says of it."""

from typing import Any, NamedTuple

from tts_operator.json_object import Json
from tts_operator.keyring import Keyring

CONTAINER = "server"
"""The model server's container in a pod template."""
_PUBLIC_KEY, _POD_UID = "TTS_PROBE_PUBLIC_KEY", "TTS_POD_UID"
_UID: Json = {"fieldRef": {"fieldPath": "metadata.uid"}}
_KEY_IS_UID: Json = {"name": "TTS_PROBE_KEY", "valueFrom": _UID}
"""In the templates that older operators have made, and that are kept with their revisions, the pod's uid is a key. It
is no secret: it is in the metrics of every pod, and whoever may read pods reads it."""


class Admits(NamedTuple):
    """By what the pods of a template let the operator speak, beside the keys of clients."""

    public_key: str = ""
    """They take tokens that are signed with the private key which belongs to this one."""
    uid: bool = False
    """They take their own uid."""


def environment(keyring: Keyring) -> list[Json]:
    """The variables by which a pod knows the operator. None is secret: there is nothing in a pod that could speak."""
    return [{"name": _PUBLIC_KEY, "value": keyring.public_key}, {"name": _POD_UID, "valueFrom": _UID}]


def admits(template: Json) -> Admits:
    """By what the pods of a template, whoever has made it and whatever it holds, know the operator."""
    server = next((each for each in _objects(template.get("spec"), "containers") if each.get("name") == CONTAINER), {})
    env = _objects(server, "env")
    public_key = next((each.get("value") for each in env if each.get("name") == _PUBLIC_KEY), "")
    return Admits(public_key=public_key if isinstance(public_key, str) else "", uid=_KEY_IS_UID in env)


def _objects(holder: Any, field: str) -> list[Json]:
    """The objects of a list, where there is one: podTemplate may hold anything."""
    found = holder.get(field) if isinstance(holder, dict) else None
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []
