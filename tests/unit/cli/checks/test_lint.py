"""`kubectl tts lint` says without a cluster what the API server and the operator would say."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from tests.integration.operator.admission_cases import ATTACKS, BANK, FINE, OPEN, POLICY
from tests.integration.operator.refused_cases import BAD, BAD_BACKENDS
from tests.unit.cli.recorded import ran
from tests.unit.examples.files import EXAMPLES, NAMES
from tts_operator.api.object_schema import schema
from tts_operator.cli.checks.lint import check
from tts_operator.cli.checks.manifests import Manifest
from tts_operator.cli.checks.policy import Rules, rules_of
from tts_operator.cli.checks.rules import OLD, RULES, broken
from tts_operator.cli.checks.schema import problems, with_defaults
from tts_operator.json_object import Json
from tts_operator.policy import Policy

ROOT = Path(__file__).parents[4]
CPU = "resources.limits.cpu must be at least resources.requests.cpu: raise the limit or lower the request"
OPEN_RULES = Rules(policy=Policy.model_validate({field: ["*"] for field in (
    "images", "hosts", "ingressAnnotations", "serviceAnnotations", "serviceTypes", "priorityClasses", "issuers",
    "prometheus",
)} | {"podTemplate": "Unrestricted"}))  # fmt: skip


def manifest(spec: Any, name: str = "narrator", **metadata: Any) -> Manifest:
    body = {
        "apiVersion": "tts-operator.io/v1alpha1", "kind": "TTSService", "metadata": {"name": name, **metadata},
        "spec": spec,
    }  # fmt: skip
    return Manifest(file="a.yaml", body=body, lines={})


def told(spec: Any, *, rules: Rules = OPEN_RULES, namespace: str = "speech") -> str:
    return "\n".join(f"{each.field}: {each.problem}" for each in check(manifest(spec), rules, namespace))


@pytest.mark.parametrize("spec, message", [*BAD, *BAD_BACKENDS], ids=str)
def test_what_the_api_server_refuses_is_found_in_its_words(spec: Json, message: str) -> None:
    assert message.lower() in told(spec).lower()


NEVER = [spec for name, spec, _ in ATTACKS if name in {
    "image that is a number", "issuer with a slash", "query", "fragment", "user",
}]  # fmt: skip
"""What no policy allows."""


@pytest.mark.parametrize("spec", [spec for _, spec, _ in ATTACKS], ids=[name for name, _, _ in ATTACKS])
def test_what_the_policy_refuses_is_found(spec: Json) -> None:
    rules = Rules(policy=Policy.model_validate(POLICY))
    assert told(spec, rules=rules, namespace=BANK)
    elsewhere = told(spec, rules=rules, namespace=OPEN)
    assert "(policy)" not in elsewhere or spec in NEVER


@pytest.mark.parametrize("file", EXAMPLES, ids=NAMES)
def test_the_examples_are_right(file: Path) -> None:
    for body in yaml.safe_load_all(file.read_text(encoding="utf-8")):
        if body["kind"] == "TTSService":
            assert told(body["spec"]) == ""


def test_every_rule_can_be_evaluated_on_the_defaults_and_on_each_example() -> None:
    """A rule with a function that is not known here would raise."""
    for file in EXAMPLES:
        for body in yaml.safe_load_all(file.read_text(encoding="utf-8")):
            if body["kind"] == "TTSService":
                assert list(broken(with_defaults(body, schema()), schema())) == []


def test_rules_about_changes_are_left_out() -> None:
    rules = [each["rule"] for each in _rules(schema())]
    assert len(rules) > 40
    assert sum(OLD in each for each in rules) == 4


def _rules(node: Any) -> list[dict[str, str]]:
    if not isinstance(node, dict):
        return []
    inner = [each for child in node.values() for each in _rules(child)]
    own: list[dict[str, str]] = node.get(RULES) or []
    return [*(own if isinstance(own, list) else []), *inner]


@pytest.mark.parametrize(
    "value, kind, message",
    [
        (True, {"type": "integer"}, "expected numeric"),
        (1.0, {"type": "integer"}, "expected numeric"),
        (1, {"type": "string"}, "expected string, got integer; put it in quotes"),
        ([], {"type": "object"}, "expected map, got list"),
        (None, {"type": "string"}, "got null"),
        (True, {"x-kubernetes-int-or-string": True}, "a whole number or a string"),
        (2**31, {"type": "integer", "format": "int32"}, "more than 32 bits"),
        ({"a": 1, "b": 2}, {"type": "object", "maxProperties": 1}, "at most 1"),
        ("x" * 9, {"type": "string", "maxLength": 8}, "more than 8"),
        ("a\n", {"type": "string", "pattern": "^[a-z]$"}, "should match"),
        (
            [{"n": "a"}, {"n": "a"}],
            {"type": "array", "items": {"type": "object", "properties": {"n": {"type": "string"}}},
             "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["n"]},
            "duplicate entries",
        ),
    ],
)  # fmt: skip
def test_what_a_field_may_not_be(value: Any, kind: Json, message: str) -> None:
    (found,) = problems(value, kind)
    assert message in found.text


def test_an_unknown_field_is_compared_with_the_known_ones() -> None:
    assert told({"replcas": 3}) == "spec.replcas: field not declared in schema; did you mean replicas?"


def test_a_null_counts_as_absent() -> None:
    assert told({"autoscaling": None, "replicas": None}) == ""


def test_defaults_are_set_inside_of_what_is_given() -> None:
    full = with_defaults({"spec": {"server": {"maxInputCharacters": 7}}}, schema())
    assert full["spec"]["server"]["cache"]
    assert full["spec"]["replicas"] == 3


def test_a_problem_has_its_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "narrator.yaml"
    file.write_text(
        "apiVersion: v1\nkind: ConfigMap\n---\n# a service\napiVersion: tts-operator.io/v1alpha1\nkind: TTSService\n"
        "metadata:\n  name: narrator\nspec:\n  paused: false\n  paused: true\n  resources:\n    limits: {cpu: 500m}\n"
    )
    result = ran(capsys, f"lint {file}")
    assert result.code == 1
    assert result.out.splitlines() == [
        f"{file}:11: narrator: spec.paused: the field is written twice; YAML keeps the last",
        f"{file}:12: narrator: spec.resources: {CPU}",
        "1 TTSService checked, and 1 other objects that were not: 2 problems.",
    ]
    assert "Not checked, because it needs the cluster" in result.err
    assert "--policy values.yaml" in result.err
    (first, _) = json.loads(ran(capsys, f"lint {file} -o json").out)
    assert (first["line"], first["field"]) == (11, "spec.paused")


def test_what_is_right_sets_no_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    result = ran(capsys, f"lint {ROOT}/examples/quickstart.yaml {ROOT}/examples/canary.yaml")
    assert (result.code, result.out) == (0, "2 TTSServices checked: no problems.\n")


def test_a_list_and_the_standard_input(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    items = {"apiVersion": "v1", "kind": "List", "items": [manifest({}).body, manifest({"replicas": -1}, "other").body]}
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(yaml.safe_dump(items).encode())))
    result = ran(capsys, "lint -")
    assert result.code == 1
    assert ": other: spec.replicas: invalid value: -1: should be greater" in result.out


@pytest.mark.parametrize(
    "content, words",
    [
        (b"a: [", ":1 is not valid YAML"),
        (b"\xff", "is not UTF-8 (byte 0)"),
        (b"- a", ":1 is not a Kubernetes object"),
        (b"a: b", "there is no TTSService"),
        (b"a: &a [*a]", "nested too deeply"),
        (b"[" * 500, "nested too deeply"),
        (b"", "there is no TTSService"),
        (b"a: !!python/object:os.system x", "could not determine a constructor"),
    ],
)
def test_what_is_no_manifest(content: bytes, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "a.yaml"
    file.write_bytes(content)
    result = ran(capsys, "lint", str(file))
    assert (result.code, result.out) == (3, "")
    assert words in result.err
    assert len(result.err.splitlines()) == 1


def test_the_policy_of_helm_values(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, values = tmp_path / "a.yaml", tmp_path / "values.yaml"
    file.write_text(yaml.safe_dump(manifest({"service": {"type": "NodePort"}}, namespace="open").body))
    assert 'spec.service.type: "NodePort" is not allowed; allowed: ClusterIP' in ran(capsys, f"lint {file}").out
    values.write_text("replicas: 2\npolicy: {namespaces: {open: {serviceTypes: [NodePort]}}}\n")
    assert ran(capsys, f"lint {file} --policy {values}").code == 0
    values.write_text("serviceTypes: [NodePort]\n")
    assert ran(capsys, f"lint {file} --policy {values}").code == 0
    values.write_text("policy: {serviceTyps: [NodePort]}\n")
    result = ran(capsys, f"lint {file} --policy {values}")
    assert result.code == 3
    assert f"{values}: policy: serviceTyps: unknown field; write one of" in result.err
    assert rules_of(None) == Rules()


def test_specs_that_the_admission_policy_takes_are_fine() -> None:
    rules = Rules(policy=Policy.model_validate(POLICY))
    for name, spec in FINE:
        assert told(spec, rules=rules, namespace=BANK) == "", name


def test_without_the_cel_library_it_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "cel", None)
    file = tmp_path / "a.yaml"
    file.write_text(yaml.safe_dump(manifest({}).body))
    result = ran(capsys, f"lint {file}")
    assert result.code == 1
    assert "pip install common-expression-language" in result.err
