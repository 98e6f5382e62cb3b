"""The schema as the API server gets it. Integration tests check its CEL rules."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import pytest
import yaml
from pydantic import Field

from tts_operator.api import Spec
from tts_operator.api.generate.crd import columns, crd, main
from tts_operator.api.object_schema import schema
from tts_operator.api.schema import ApiModel, IntOrPercent, Quantity, defaults, structural
from tts_operator.api.status import Status
from tts_operator.json_object import Json

CRDS = Path(__file__).parents[4] / "crds"
OPTIONAL = {
    ".spec.autoscaling",
    ".spec.backend",
    ".spec.backend.autoscaling",
    ".spec.backend.placement",
    ".spec.backend.triton",
    ".spec.backend.triton.container",
    ".spec.backend.triton.repository",
    ".spec.backend.upstream",
    ".spec.backend.upstream.container",
    ".spec.backend.volumes[].image",
    ".spec.backend.volumes[].persistentVolumeClaim",
    ".spec.gateway",
    ".spec.ingress",
    ".spec.ingress.tls.issuerRef",
    ".spec.jobs",
    ".spec.jobs.kafka",
    ".spec.jobs.kafka.sasl",
    ".spec.jobs.storage.persistentVolumeClaim",
    ".spec.jobs.workers",
    ".spec.jobs.workers.autoscaling",
    ".spec.jobs.workers.placement",
    ".spec.jobs.workers.resources",
    ".spec.model.storage.emptyDir",
    ".spec.model.storage.persistentVolumeClaim",
    ".spec.rollout.blueGreen",
    ".spec.rollout.canary",
}
"""Parts that have defaults inside, and are only there when they are asked for."""
FREE_FORM = {
    ".metadata",
    ".spec.backend.upstream.body",
    ".spec.backend.upstream.voices[].body",
    ".spec.podTemplate",
}
"""Objects that may contain anything."""
ALLOWED = {
    "type", "format", "description", "properties", "additionalProperties", "items", "required", "default", "enum",
    "pattern", "minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties",
    "nullable",
}  # fmt: skip


def nodes(node: Json, path: str = "") -> Iterator[tuple[str, Json]]:
    """Each part of a schema, with its path."""
    yield path, node
    for name, child in node.get("properties", {}).items():
        yield from nodes(child, f"{path}.{name}")
    if "items" in node:
        yield from nodes(node["items"], f"{path}[]")
    if "additionalProperties" in node:
        yield from nodes(node["additionalProperties"], f"{path}{{}}")


NODES = dict(nodes(schema()))


def test_the_file_in_the_repository_is_what_is_generated(capsys: pytest.CaptureFixture[str]) -> None:
    main()
    written = {path.name: path.read_text() for path in CRDS.glob("*.yaml")}
    assert written == {"tts-operator.io_ttsservices.yaml": capsys.readouterr().out}, "run `make generate`"


def test_the_output_is_the_crd(capsys: pytest.CaptureFixture[str]) -> None:
    main()
    assert yaml.safe_load(capsys.readouterr().out) == crd()


@pytest.mark.parametrize("path", NODES)
def test_structural(path: str) -> None:
    node = NODES[path]
    assert {key for key in node if not key.startswith("x-kubernetes-")} <= ALLOWED
    assert ("type" in node) != bool(node.get("x-kubernetes-int-or-string"))
    assert not {"properties", "additionalProperties"} <= node.keys()
    assert ("items" in node) == (node.get("type") == "array")
    if node.get("type") == "object" and path not in FREE_FORM:
        assert {"properties", "additionalProperties"} & node.keys(), "an object of anything would keep unknown fields"


@pytest.mark.parametrize("path", [path for path in NODES if path.startswith((".spec", ".status")) or not path])
def test_every_field_is_described(path: str) -> None:
    if path.endswith(("[]", "{}")) and "properties" not in NODES[path]:
        return  # a plain item is described by its list
    description = NODES[path].get("description", "")
    assert description
    assert description.rstrip().endswith((".", "...")) or len(description) > 20


def check_default(default: Any, node: Json) -> None:
    """A default must be valid itself, or the API server refuses the whole CRD."""
    kinds = {"string": str, "integer": int, "boolean": bool, "object": dict, "array": list}
    if node.get("x-kubernetes-int-or-string"):
        assert isinstance(default, int | str)
    else:
        assert isinstance(default, kinds[node["type"]])
    if isinstance(default, str) and "pattern" in node:
        assert re.search(node["pattern"], default)
    if isinstance(default, int):
        assert node.get("minimum", default) <= default <= node.get("maximum", default)
    assert default in node.get("enum", [default])
    if isinstance(default, dict) and "additionalProperties" in node:
        for value in default.values():
            check_default(value, node["additionalProperties"])
    elif isinstance(default, dict):
        assert default.keys() <= node["properties"].keys()
        for name, value in default.items():
            check_default(value, node["properties"][name])


@pytest.mark.parametrize("path", [path for path, node in NODES.items() if "default" in node])
def test_defaults_are_valid(path: str) -> None:
    check_default(NODES[path]["default"], NODES[path])


def test_an_empty_spec_is_a_whole_one() -> None:
    given = NODES[".spec"]["default"]
    assert Spec.model_validate(given) == Spec()
    assert given["replicas"] == 3
    assert given["resources"]["limits"] == {"cpu": 2, "memory": "4Gi"}
    assert given["placement"]["zoneSpread"]["topologyKey"] == "topology.kubernetes.io/zone"


def test_every_part_that_has_defaults_inside_has_them_all_itself() -> None:
    for path, node in NODES.items():
        if path.startswith(".spec") and not path.endswith("[]") and path not in OPTIONAL and (inner := defaults(node)):
            assert node["default"] == inner, path


def test_an_unseen_object_does_not_read_as_done() -> None:
    assert NODES[".status"]["default"] == {"observedGeneration": -1}
    assert Status().observed_generation == -1


@pytest.mark.parametrize(
    "path", [path for path in NODES if path.rpartition(".")[2] in {"observedGeneration", "replicas"}]
)
def test_counts_and_generations_are_integers(path: str) -> None:
    assert NODES[path]["type"] == "integer"
    assert NODES[path]["format"] in {"int32", "int64"}


def test_conditions_are_merged_by_type() -> None:
    conditions = NODES[".status.conditions"]
    assert conditions["x-kubernetes-list-map-keys"] == ["type"]
    assert set(NODES[".status.conditions[]"]["required"]) == {
        "type", "status", "observedGeneration", "lastTransitionTime", "reason", "message",
    }  # fmt: skip


RULES = [rule for node in NODES.values() for rule in node.get("x-kubernetes-validations", ())]


@pytest.mark.parametrize("rule", RULES, ids=[rule["message"][:40] for rule in RULES])
def test_a_rule_says_what_to_write(rule: Json) -> None:
    assert len(rule["message"]) > 40
    assert "\n" not in rule["rule"] + rule["message"]


def test_columns_show_what_is_in_the_status() -> None:
    for column in columns():
        path = column["jsonPath"].partition("[")[0]
        assert path in NODES or path.startswith(".metadata.")


def test_the_scale_subresource_leads_to_fields() -> None:
    (version,) = crd()["spec"]["versions"]
    assert all(path in NODES for path in version["subresources"]["scale"].values())


# What the building blocks make of a model.


class Inner(ApiModel):
    """Inside."""

    plain: int = 7
    """A figure."""


class Outer(ApiModel):
    """Outside."""

    needed: str
    """Must be given."""
    inner: Inner = Field(default_factory=Inner)
    absent: Inner | None = None
    """Only if asked for."""
    some_items: list[Inner] = Field([])
    """A list."""
    share: IntOrPercent = 1
    """A share."""
    cores: Quantity = "2"
    """A quantity."""
    words: dict[str, str] = Field({})
    """A map."""


def test_structural_of_a_model() -> None:
    found = structural(Outer)
    inner = {"type": "object", "properties": {"plain": {"type": "integer", "default": 7, "description": "A figure."}}}
    properties = found["properties"]
    assert found["description"] == "Outside."
    assert found["required"] == ["needed"]
    assert properties["inner"] == {**inner, "description": "Inside.", "default": {"plain": 7}}
    assert properties["absent"] == {**inner, "description": "Only if asked for."}
    assert properties["someItems"]["items"] == {**inner, "description": "Inside."}
    assert "default" not in properties["someItems"]
    assert properties["words"]["additionalProperties"] == {"type": "string"}
    for name in ("share", "cores"):
        assert properties[name]["x-kubernetes-int-or-string"] is True
        assert "type" not in properties[name]
    assert (properties["share"]["default"], properties["cores"]["default"]) == (1, 2)
    assert defaults(found) == {"inner": {"plain": 7}, "share": 1, "cores": 2}


class Ambiguous(ApiModel):
    field: int | str = 1


class Formless(ApiModel):
    field: Annotated[Any, Field()] = None


@pytest.mark.parametrize("model", [Ambiguous, Formless])
def test_what_a_structural_schema_cannot_say_is_an_error(model: type[ApiModel]) -> None:
    with pytest.raises(ValueError, match="structural schema"):
        structural(model)


def test_an_older_operator_reads_what_it_knows() -> None:
    assert Outer.model_validate({"needed": "x", "newer": 1}) == Outer(needed="x")
