"""Strategic merge of podTemplate into the operator's pod template.

Directives: null removes a field, `$patch: delete` a list item, `$patch: replace` replaces a map.
Source: https://kubernetes.io/docs/tasks/manage-kubernetes-objects/update-api-object-kubectl-patch/, and the
patchMergeKey tags of core/v1.
"""

from typing import Any

from tts_operator.json_object import Json

MERGE_KEYS = {
    "containers": "name",
    "initContainers": "name",
    "volumes": "name",
    "env": "name",
    "ports": "containerPort",
    "volumeMounts": "mountPath",
    "volumeDevices": "devicePath",
    "imagePullSecrets": "name",
    "hostAliases": "ip",
    "topologySpreadConstraints": "topologyKey",
    "resourceClaims": "name",
}
"""Lists whose items are merged by a key. All other lists are atomic."""
DIRECTIVE = "$patch"


def merged(base: Json, patch: Json) -> Json:
    """Merge `patch` into `base`, and return the result. Changes neither."""
    if patch.get(DIRECTIVE) == "replace":
        return {name: value for name, value in patch.items() if name != DIRECTIVE}
    result = dict(base)
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = _value(name, result.get(name), value)
    return result


def _value(name: str, base: Any, patch: Any) -> Any:
    if isinstance(patch, dict):
        return merged(base if isinstance(base, dict) else {}, patch)
    key = MERGE_KEYS.get(name)
    if key is not None and isinstance(base, list) and isinstance(patch, list):
        return _items(base, patch, key)
    return patch


def _items(base: list[Any], patch: list[Any], key: str) -> list[Any]:
    """Merge items with equal keys, in the order of `base`. New items come last."""
    if not all(isinstance(item, dict) and isinstance(item.get(key), str | int) for item in patch):
        return patch  # the API server will reject it
    patches = {item[key]: item for item in patch}
    kept = [
        merged(item, patches[item[key]]) if item.get(key) in patches else item
        for item in base
        if patches.get(item.get(key), {}).get(DIRECTIVE) != "delete"
    ]
    known = {item.get(key) for item in base}
    return kept + [item for item in patch if item[key] not in known and item.get(DIRECTIVE) != "delete"]
