from __future__ import annotations

from typing import Any

from release.schemas import of_crd, of_kubernetes

POD = {
    "type": "object",
    "properties": {
        "spec": {"$ref": "#/definitions/Spec", "description": "x"},
        "port": {"type": "string", "format": "int-or-string"},
        "size": {"$ref": "#/definitions/io.k8s.apimachinery.pkg.api.resource.Quantity"},
        "format": {"type": "string", "format": "date-time"},
    },
    "x-kubernetes-group-version-kind": [{"group": "apps.k8s.io", "version": "v1", "kind": "Pod"}],
}
SWAGGER: dict[str, Any] = {
    "definitions": {
        "Pod": POD,
        "Spec": {"type": "object", "properties": {"a": {"type": "integer"}}},
        "Labels": {"type": "object", "additionalProperties": {"type": "string"}},
        "io.k8s.apimachinery.pkg.api.resource.Quantity": {"type": "string"},
    }
}


def test_kinds_of_kubernetes() -> None:
    files = of_kubernetes(SWAGGER)
    assert files["pod-apps-v1.json"] == {"$ref": "definitions.json#/definitions/Pod"}
    definitions = files["definitions.json"]["definitions"]
    either = {"anyOf": [{"type": "string"}, {"type": "number"}]}
    assert definitions["Pod"] == {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "spec": {"$ref": "#/definitions/Spec"},
            "port": either,
            "size": {"$ref": "#/definitions/io.k8s.apimachinery.pkg.api.resource.Quantity"},
            "format": {"type": "string"},
        },
    }
    assert definitions["Labels"] == SWAGGER["definitions"]["Labels"]
    assert definitions["io.k8s.apimachinery.pkg.api.resource.Quantity"] == either


def test_a_custom_resource() -> None:
    schema = {
        "type": "object",
        "properties": {
            "spec": {
                "type": "object",
                "properties": {
                    "a": {"x-kubernetes-int-or-string": True},
                    "b": {"type": "object", "properties": {}, "x-kubernetes-preserve-unknown-fields": True},
                    "c": {"type": "string", "nullable": True},
                },
                "oneOf": [{"properties": {"a": {"type": "integer"}}, "required": ["a"]}],
            }
        },
    }
    versions = [{"name": "v1beta1", "schema": {"openAPIV3Schema": schema}}]
    crd = {"spec": {"group": "speech.example.com", "names": {"kind": "Voice"}, "versions": versions}}
    ((name, found),) = of_crd(crd).items()
    assert name == "voice-speech-v1beta1.json"
    assert found["additionalProperties"] is False
    assert set(found["properties"]) == {"apiVersion", "kind", "metadata", "spec"}
    spec = found["properties"]["spec"]
    assert spec["additionalProperties"] is False
    assert spec["properties"]["c"] == {"type": ["string", "null"]}
    assert "additionalProperties" not in spec["oneOf"][0], "it names only some of the fields"
