"""The reference of the API, generated from the CRD."""

import re
from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import Field

from tests.unit.operator.api.test_crd import NODES, RULES, Outer
from tts_operator.api.generate.crd import columns
from tts_operator.api.generate.docs import Links, anchor, kind_of, limits, main, objects, section
from tts_operator.api.schema import structural
from tts_operator.json_object import Json

ROOT = Path(__file__).parents[4]
WRITTEN = (ROOT / "docs" / "api.md").read_text()
HEADINGS = [line.lstrip("#").strip() for line in WRITTEN.splitlines() if line.startswith("#")]


def test_the_file_in_the_repository_is_what_is_generated(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["docs", str(ROOT / "examples" / "busy.yaml")])
    main()
    assert capsys.readouterr().out == WRITTEN, "run `make generate`"


def test_every_link_inside_leads_to_one_heading() -> None:
    anchors = [anchor(heading) for heading in HEADINGS]
    assert len(anchors) == len(set(anchors))
    assert set(re.findall(r"\]\(#([^)]*)\)", WRITTEN)) <= set(anchors)


def test_every_link_to_a_file_leads_to_one() -> None:
    prose = re.sub(r"`[^`]*`", "", WRITTEN)
    for target in re.findall(r"\]\(([^#)]+)", prose):
        assert (ROOT / "docs" / target).exists()


def test_every_field_is_there() -> None:
    fields = {path.rpartition(".")[2] for path in NODES if path.startswith((".spec.", ".status."))}
    assert {field for field in fields if f"\n| `{field.rstrip('[]{}')}` | " not in WRITTEN} == set()


def test_every_rule_and_column_is_there() -> None:
    plain = WRITTEN.replace("\\", "")
    assert all(f"\n- {each['message']}\n" in plain for each in RULES)
    assert all(f"\n| {column['name']} | " in plain for column in columns())


def test_what_markdown_would_take_for_markup_is_not() -> None:
    rows = [line for line in WRITTEN.splitlines() if line.startswith("| `")]
    assert {len(re.split(r"(?<!\\)\|", row)) for row in rows} == {7}


class Several(Outer):
    """Various."""

    some: dict[str, Outer] = Field({})
    """Objects by name."""
    free: dict[str, Any] | None = Field(
        None, json_schema_extra={"x-kubernetes-preserve-unknown-fields": True, "type": "object"}
    )
    """Anything."""
    plain: list[Annotated[str, Field(max_length=5, pattern="^(a|b)$")]] = Field(
        ["a"], min_length=1, json_schema_extra={"x-kubernetes-validations": [{"message": "begin with <a>"}]}
    )
    """Words, with a | between."""


SCHEMA = structural(Several)
LINKS: Links = {}
OBJECTS = dict(objects(SCHEMA, "spec", LINKS, {}))


def test_objects_that_are_alike_share_a_section() -> None:
    assert OBJECTS.keys() == {"spec", "spec.inner", "spec.some{}"}
    assert LINKS["spec.absent"] == LINKS["spec.someItems[]"] == LINKS["spec.some{}.inner"] == "spec.inner"
    assert "Used by `spec.inner`, `spec.absent`, `spec.someItems[]`" in section(
        "spec.inner", OBJECTS["spec.inner"], LINKS
    )


@pytest.mark.parametrize(
    "name, kind, found",
    [
        ("needed", "string", []),
        ("inner", "[object](#specinner)", []),
        ("someItems", "list of [object](#specinner)", []),
        ("share", "count or percentage", []),
        ("cores", "quantity", []),
        ("words", "map of string", []),
        ("some", "map of [object](#specsome)", []),
        ("free", "object with any fields", []),
        ("plain", "list of string", ["at least 1 items", "each: at most 5 characters, `^(a|b)$`"]),
    ],
)
def test_type_and_limits(name: str, kind: str, found: list[str]) -> None:
    node = SCHEMA["properties"][name]
    assert kind_of(node, f"spec.{name}", LINKS) == kind
    assert limits(node) == found


@pytest.mark.parametrize(
    "node, found",
    [
        ({"type": "integer", "minimum": 0, "maximum": 9}, ["0 to 9"]),
        ({"type": "integer", "maximum": 9}, ["at most 9"]),
        ({"type": "string", "enum": ["a", "b"]}, ["one of `a`, `b`"]),
        ({"x-kubernetes-int-or-string": True, "maximum": 9}, ["at most 9"]),
        ({"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}}, ["no item twice"]),
        (
            {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["a", "b"], "items": {"properties": {}}},
            ["one item for each `a` and `b`"],
        ),
    ],
)
def test_limits(node: Json, found: list[str]) -> None:
    assert limits(node) == found


def test_a_section() -> None:
    lines = section("spec", OBJECTS["spec"], LINKS).splitlines()
    assert lines[:3] == ["## spec", "", "Various."]
    assert "| `needed` | string | **required** |  | Must be given. |" in lines
    assert "| `share` | count or percentage | `1` |  | A share. |" in lines
    assert r"| `plain` | list of string | `[a]` | at least 1 items; each: at most 5 characters, `^(a\|b)$` |" in (
        "\n".join(lines)
    )
    assert r"Words, with a \| between. |" in "\n".join(lines)
    assert lines[-3:] == ["Rules:", "", r"- begin with \<a\>"]
