"""The linter of the CRD: each rule finds violations, and the CRD has none."""

import pytest

from tts_operator.api.generate.lint import EXCEPTIONS, RULES, lint
from tts_operator.api.object_schema import schema
from tts_operator.json_object import Json

TEXT = {"type": "string", "maxLength": 5, "description": "A text."}
ITEM = {"type": "object", "properties": {"name": TEXT}, "required": ["name"], "description": "An item."}


def whole(**properties: Json) -> Json:
    described = {name: {"description": "A field."} | node for name, node in properties.items()}
    spec = {"type": "object", "description": "What is wanted.", "properties": described}
    return {"type": "object", "description": "A thing.", "properties": {"spec": spec}}


def test_the_crd_keeps_to_the_conventions() -> None:
    assert lint(schema(), EXCEPTIONS) == []


def test_every_exception_has_a_reason_and_a_rule() -> None:
    assert EXCEPTIONS.keys() <= RULES.keys()
    assert all(reason for patterns in EXCEPTIONS.values() for reason in patterns.values())


@pytest.mark.parametrize(
    "name, node, said",
    [
        ("names", {"type": "array", "maxItems": 1, "items": TEXT}, "needs x-kubernetes-list-type"),
        ("names", {"type": "array", "maxItems": 1, "items": TEXT, "x-kubernetes-list-type": "map"}, "belongs to"),
        ("names", {"type": "array", "maxItems": 1, "items": ITEM, "x-kubernetes-list-type": "set"}, "plain values"),
        ("names", {"type": "array", "items": TEXT, "x-kubernetes-list-type": "atomic"}, "needs maxItems"),
        (
            "names",
            {
                "type": "array",
                "maxItems": 1,
                "items": ITEM,
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["key"],
            },
            "must be a required field",
        ),
        ("count", {"type": "integer", "minimum": 0}, "needs format"),
        ("count", {"type": "integer", "format": "int32"}, "needs a minimum"),
        ("share", {"type": "number"}, "no floating-point numbers"),
        ("name", {"type": "string"}, "needs maxLength"),
        ("labels", {"type": "object", "additionalProperties": TEXT}, "needs maxProperties"),
        ("things", {"type": "object", "maxProperties": 1, "additionalProperties": ITEM}, "a map of objects"),
        ("free", {"type": "object", "x-kubernetes-preserve-unknown-fields": True}, "may hold anything"),
        ("name", TEXT | {"description": ""}, "needs a description"),
        ("name", TEXT | {"description": "a name"}, "consists of sentences"),
        ("name", TEXT | {"description": "This is the name."}, "begin the description with the meaning"),
        ("big_name", TEXT, "camelCase"),
        ("issuerReference", TEXT, "...Ref"),
        ("timeout", TEXT, "ends with its unit"),
        ("since", {"type": "string", "maxLength": 5, "format": "date-time"}, "is named ...Time"),
        ("startTime", TEXT, "has format date-time"),
        ("mode", {"type": "string", "enum": ["Fast", "slow"]}, "CamelCase: slow"),
        ("enabled", {"type": "boolean"}, "prefer an enum"),
        ("name", TEXT | {"nullable": True}, "nullable"),
        (
            "conditions",
            {"type": "array", "maxItems": 1, "items": ITEM, "x-kubernetes-list-type": "atomic"},
            "key `type`",
        ),
        (
            "conditions",
            {
                "type": "array",
                "maxItems": 1,
                "items": {**ITEM, "properties": {"type": TEXT}, "required": ["type"]},
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["type"],
            },
            "not a metav1.Condition: type, status, observedGeneration",
        ),
    ],
)
def test_what_breaks_a_convention_is_found(name: str, node: Json, said: str) -> None:
    found = lint(whole(**{name: node}), {})
    assert any(f".spec.{name}" in line and said in line for line in found), found


def test_a_required_field_has_no_default() -> None:
    item = {**ITEM, "properties": {"name": TEXT | {"default": "a"}}}
    (found,) = lint(whole(item=item), {})
    assert found.startswith(".spec.item.name: a required field has no default")


def test_an_exception_is_for_something() -> None:
    known = {"boolean": {".spec.enabled": "on or off", ".spec.gone": "was a boolean"}}
    assert lint(whole(enabled={"type": "boolean"}), known) == [".spec.gone: the exception is not needed [boolean]"]
