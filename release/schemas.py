"""JSON schemas for kubeconform, from the definitions of Kubernetes and of CustomResourceDefinitions. No I/O.

kubeconform's own come from a web site. These are exactly those of the pinned versions, and need no network.
"""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]
NAME = "{{ .ResourceKind }}{{ .KindSuffix }}.json"
"""The file of a kind, as kubeconform's option -schema-location writes it: `deployment-apps-v1.json`."""
_DEFINITIONS = "definitions.json"
_UNION = {"anyOf": [{"type": "string"}, {"type": "number"}]}
_QUANTITY = "io.k8s.apimachinery.pkg.api.resource.Quantity"


def of_kubernetes(swagger: Json) -> dict[str, Json]:
    """Return the schemas of Kubernetes' own kinds, by file name, from its `swagger.json`."""
    definitions = {name: _strict(each) for name, each in swagger["definitions"].items()}
    definitions[_QUANTITY] = _UNION  # written as a number where it has no unit
    files: dict[str, Json] = {_DEFINITIONS: {"definitions": definitions}}
    for name, definition in swagger["definitions"].items():
        for kind in definition.get("x-kubernetes-group-version-kind", ()):
            # Options of deletions have the groups of all kinds, and are no objects.
            if kind["kind"] in ("DeleteOptions", "WatchEvent"):
                continue
            files[_file(kind["group"], kind["version"], kind["kind"])] = {"$ref": f"{_DEFINITIONS}#/definitions/{name}"}
    return files


def of_crd(crd: Json) -> dict[str, Json]:
    """Return the schemas of the versions that a CustomResourceDefinition serves, by file name."""
    group, kind = crd["spec"]["group"], crd["spec"]["names"]["kind"]
    found = {}
    for version in crd["spec"]["versions"]:
        schema = _strict(version["schema"]["openAPIV3Schema"])
        schema["properties"] = {
            **schema["properties"],
            **{name: {"type": "string"} for name in ("apiVersion", "kind")},
            "metadata": {"type": "object"},
        }
        found[_file(group, version["name"], kind)] = schema
    return found


def _file(group: str, version: str, kind: str) -> str:
    """The name that NAME gives: of the group only the first part."""
    parts = [kind, *([group.partition(".")[0]] if group else []), version]
    return "-".join(parts).lower() + ".json"


def _strict(schema: Any, *, closed: bool = True) -> Any:
    """The same schema without what JSON Schema does not have and, if `closed`, without room for unknown fields."""
    if isinstance(schema, list):
        return [_strict(each, closed=closed) for each in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("x-kubernetes-int-or-string") or schema.get("format") == "int-or-string":
        return _UNION
    if "$ref" in schema:
        return {"$ref": schema["$ref"]}
    found = {key: _value(key, each, closed=closed) for key, each in schema.items() if not key.startswith("x-")}
    found.pop("format", None)
    if closed and found.get("properties") and "additionalProperties" not in found:
        found["additionalProperties"] = bool(schema.get("x-kubernetes-preserve-unknown-fields"))
    if found.pop("nullable", False) and "type" in found:
        found["type"] = [found["type"], "null"]
    return found


def _value(key: str, value: Any, *, closed: bool) -> Any:
    if key == "properties":
        return {name: _strict(each, closed=closed) for name, each in value.items()}
    if key in ("allOf", "anyOf", "oneOf", "not"):  # these name only some of the fields
        return _strict(value, closed=False)
    return _strict(value, closed=closed) if key in ("additionalProperties", "items") else value
