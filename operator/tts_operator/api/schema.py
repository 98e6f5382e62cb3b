"""Building blocks of the API types, and their conversion to the structural OpenAPI v3 schema of a CRD.

Source: https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/
"""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, JsonValue
from pydantic.alias_generators import to_camel


def rule(cel: str, message: str, **extra: str) -> dict[str, str]:
    """A CEL validation rule. Its message says what to write instead."""
    return {"rule": cel, "message": message, **extra}


def rules(*validations: dict[str, str]) -> dict[str, Any]:
    """The value of ``json_schema_extra`` that adds CEL rules to a model."""
    return {"x-kubernetes-validations": list(validations)}


class ApiModel(BaseModel):
    """An object of the API: camelCase names, docstrings as descriptions, immutable.

    The API server rejects unknown fields. Here they are ignored, so that an operator that is older than the CRD can
    still read the fields that it knows.
    """

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        frozen=True,
        extra="ignore",
        use_attribute_docstrings=True,
    )


INT32: dict[str, JsonValue] = {"format": "int32"}
INT64: dict[str, JsonValue] = {"format": "int64"}
DATE_TIME: dict[str, JsonValue] = {"format": "date-time"}

ATOMIC: dict[str, JsonValue] = {"x-kubernetes-list-type": "atomic"}
"""A list that server-side apply replaces atomically."""
SET: dict[str, JsonValue] = {"x-kubernetes-list-type": "set"}
"""A list without duplicates, whose items may have different field managers."""


def map_by(*keys: str) -> dict[str, JsonValue]:
    """A list whose items are identified by these fields, so that they may have different field managers."""
    return {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": list(keys)}


Quantity = Annotated[
    str,
    Field(
        coerce_numbers_to_str=True,
        json_schema_extra={"x-kubernetes-int-or-string": True, "maxLength": 32, "minimum": 0},
        pattern=r"^\+?([0-9]+(\.[0-9]*)?|\.[0-9]+)(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?$",
    ),
]
"""A non-negative Kubernetes quantity: 500m, 2, 4Gi."""

IntOrPercent = Annotated[
    int | str,
    Field(
        json_schema_extra={"x-kubernetes-int-or-string": True, "pattern": r"^(0|[1-9][0-9]{0,6}|100%|[1-9]?[0-9]%)$"}
    ),
]
"""A number or percentage of pods: 1, 25%."""

Percentage = Annotated[str, Field(max_length=6, pattern=r"^(100|[1-9]?[0-9](\.[0-9])?)%$")]
"""A percentage with up to one decimal place: 1%, 0.1%."""

LabelKey = Annotated[
    str, Field(min_length=1, max_length=317, pattern=r"^([a-z0-9.-]{1,253}/)?[A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?$")
]
LABEL_VALUE_MAX = 63
Labels = Annotated[dict[str, Annotated[str, Field(max_length=LABEL_VALUE_MAX)]], Field(max_length=64)]
ANNOTATIONS_MAX = 262144
"""Maximum size of all annotations of an object together, in characters."""
Annotations = Annotated[dict[str, Annotated[str, Field(max_length=ANNOTATIONS_MAX)]], Field(max_length=64)]


def structural(model: type[BaseModel]) -> dict[str, Any]:
    """Convert a model to a structural schema: resolve references, and keep only what a CRD may contain.

    Raises ValueError if a structural schema cannot express the model.
    """
    schema = model.model_json_schema(by_alias=True)
    return _structural(schema, schema.get("$defs", {}))


_KEPT = (
    "description", "type", "format", "enum", "pattern", "minimum", "maximum", "minLength", "maxLength", "minItems",
    "maxItems", "maxProperties", "minProperties", "required", "default", "nullable",
)  # fmt: skip


def _structural(node: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    node = _resolved(node, definitions)
    out = {key: node[key] for key in _KEPT if key in node and not (key == "default" and node[key] in (None, [], {}))}
    out |= {key: value for key, value in node.items() if key.startswith("x-kubernetes-")}
    if "description" in out:
        out["description"] = " ".join(out["description"].split())
    if "const" in node:
        out["enum"] = [node["const"]]
    if out.get("x-kubernetes-int-or-string"):
        out.pop("type", None)
        if not isinstance(out.get("default", 0), int):
            out["default"] = int(out["default"]) if str(out["default"]).isdigit() else out["default"]
    if "properties" in node:
        out["properties"] = {
            name: _property(child, definitions, required=name in node.get("required", ()))
            for name, child in node["properties"].items()
        }
    elif isinstance(node.get("additionalProperties"), dict):
        out["additionalProperties"] = _structural(node["additionalProperties"], definitions)
    if "items" in node:
        out["items"] = _structural(node["items"], definitions)
    if "type" not in out and "x-kubernetes-int-or-string" not in out:
        raise ValueError(f"no structural schema can be made of {node}")
    return out


def _property(node: dict[str, Any], definitions: dict[str, Any], *, required: bool) -> dict[str, Any]:
    """Convert a field of an object. An optional object defaults to all the defaults inside it."""
    out = _structural(node, definitions)
    optional = any(option.get("type") == "null" for option in node.get("anyOf", ()))
    if not required and not optional and (inner := defaults(out)):
        out["default"] = inner
    return out


def defaults(schema: dict[str, Any]) -> dict[str, Any]:
    """The value of an object without any given fields. Complete, because CEL rules are evaluated on it."""
    return {name: child["default"] for name, child in schema.get("properties", {}).items() if "default" in child}


def _resolved(node: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """Resolve references, and merge pydantic's output for optional fields and annotated types into one node."""
    while True:
        if "$ref" in node:
            target = definitions[node["$ref"].rpartition("/")[2]]
            node = target | {key: value for key, value in node.items() if key != "$ref"}
        elif "anyOf" in node:
            options = [option for option in node["anyOf"] if option.get("type") != "null"]
            merged = options[0]
            if len(options) > 1 and not node.get("x-kubernetes-int-or-string"):
                inner = next((o for o in options if o.get("x-kubernetes-int-or-string")), None)
                if inner is None:
                    raise ValueError(f"a field of several types has no structural schema: {node}")
                merged = inner
            rest = {key: value for key, value in node.items() if key != "anyOf"}
            node = {key: value for key, value in merged.items() if key != "title"} | rest
        else:
            return node
