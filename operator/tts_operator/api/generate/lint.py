"""Check the generated CRD against the Kubernetes API conventions: `python -m tts_operator.api.generate.lint`.

Prints one line per violation, and exits with 1 if there are any. Each rule is a function of one field.

Sources: https://github.com/kubernetes/community/blob/master/contributors/devel/sig-architecture/api-conventions.md and
the rules of https://github.com/kubernetes-sigs/kube-api-linter, which checks Go types and not CRDs.
"""

import re
import sys
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from typing import NamedTuple

from tts_operator.api.object_schema import schema
from tts_operator.json_object import Json

_CONDITION: dict[str, Json] = {
    "type": {
        "type": "string",
        "maxLength": 316,
        "pattern": r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?"
        r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])$",
    },
    "status": {"type": "string", "enum": ["True", "False", "Unknown"]},
    "observedGeneration": {"type": "integer", "format": "int64", "minimum": 0},
    "lastTransitionTime": {"type": "string", "format": "date-time"},
    "reason": {
        "type": "string",
        "minLength": 1,
        "maxLength": 1024,
        "pattern": r"^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$",
    },
    "message": {"type": "string", "maxLength": 32768},
}
"""metav1.Condition, as controller-gen writes it."""


class Field(NamedTuple):
    """A node of the schema."""

    path: str
    """Such as `.spec.gateway.hostnames[]`: `[]` is a list item, `{}` a map value."""
    node: Json
    required: bool = False

    @property
    def name(self) -> str:
        """The name in its object; empty for list items and map values."""
        return "" if self.path.endswith(("[]", "{}")) else self.path.rpartition(".")[2]

    @property
    def in_spec(self) -> bool:
        """Whether users set the field."""
        return self.path.startswith(".spec")


Rule = Callable[[Field], str]
"""What is wrong with a field; empty if nothing is."""

_ON_OFF = "turns a feature on or off; its details are separate fields"
_CORE = "a value or field of the Kubernetes API that is passed through"
_DAEMON = "the name of a program or protocol, which is always lower case"

EXCEPTIONS: dict[str, dict[str, str]] = {
    "boolean": {
        ".spec.paused": "as in a Deployment",
        ".spec.rollout.paused": "as in a Deployment",
        ".spec.rollout.autoRollback": "deprecated; failurePolicy replaces it",
        ".spec.rollout.blueGreen.autoPromote": "deprecated; promotion replaces it",
        ".spec.rollout.speechCheck.compareWithStable": "only on or off; limits would be separate fields",
        ".spec.*.enabled": _ON_OFF,
        ".spec.backend.*.readOnly": _CORE,
    },
    "enum": {
        ".spec.model.engine": _DAEMON,
        ".spec.server.logLevel": "the levels of Python's logging, as the logs have them",
        ".spec.gateway.scheme": _DAEMON,
        ".spec.jobs.kafka.sasl.mechanism": "Kafka's names of the mechanisms",
        ".spec.*autoscaling.metrics[[]].*esource.name": _CORE,
        ".spec.backend.upstream.responseFormat": "OpenAI's names of the formats",
    },
    "bounds": {
        ".spec.*.tolerationSeconds": _CORE + ", where it may be negative",
    },
    "map": {
        ".spec.backend.*.container.resources.*": _CORE,
        ".spec.backend.upstream.*body": "fields of whatever API the upstream has",
        ".spec.podTemplate": "a pod template of whatever Kubernetes version the cluster has",
    },
    "time": {
        ".status.rollout.since": "deprecated; operators before lastTransitionTime read it",
    },
}
"""Intentional violations: for each rule, path patterns (as in a shell) with their reasons."""


def listed(field: Field) -> str:
    """Server-side apply and `kubectl diff` must know how to merge lists."""
    if field.node.get("type") != "array":
        return ""
    kind = field.node.get("x-kubernetes-list-type")
    item = field.node["items"]
    keys = field.node.get("x-kubernetes-list-map-keys", [])
    if kind not in {"atomic", "set", "map"}:
        return "a list needs x-kubernetes-list-type: atomic, set or map"
    if (kind == "map") != bool(keys):
        return "x-kubernetes-list-map-keys belongs to x-kubernetes-list-type: map"
    if not set(keys) <= set(item.get("required", [])):
        return "a key of x-kubernetes-list-map-keys must be a required field of the items"
    return "a set can only hold plain values" if kind == "set" and "properties" in item else ""


def numeric(field: Field) -> str:
    """Floating-point numbers do not survive a round trip, and Go clients need the size of integers."""
    kind, form = field.node.get("type"), field.node.get("format")
    if kind == "number":
        return "no floating-point numbers: use an integer of a smaller unit, or a quantity"
    if kind == "integer" and form not in {"int32", "int64"}:
        return "an integer needs format int32 or int64"
    return ""


def bounds(field: Field) -> str:
    """Fields of the spec are bounded, and so is the cost of CEL rules.

    The status is not bounded, because a value that exceeds a bound would lose the whole status.
    """
    node = field.node
    if not field.in_spec:
        return ""
    if node.get("type") == "integer":
        return "" if "minimum" in node else "an integer of the spec needs a minimum"
    if node.get("type") == "string":
        return "" if "maxLength" in node or "enum" in node else "a string of the spec needs maxLength"
    if node.get("type") == "array":
        return "" if "maxItems" in node else "a list of the spec needs maxItems"
    return "" if "additionalProperties" not in node or "maxProperties" in node else "a map needs maxProperties"


def described(field: Field) -> str:
    """`kubectl explain` prints the description: sentences that start with the meaning of the field."""
    text = field.node.get("description", "")
    if not field.name or field.name in {"apiVersion", "kind", "metadata"}:
        return "" if text or "properties" not in field.node else "an object needs a description"
    if not text:
        return "a field needs a description"
    if not re.match(r"[A-Z0-9`]", text) or not text.endswith("."):
        return "a description consists of sentences: a capital letter first, a full stop last"
    first = re.split(r"[\s:,]", text)[0].lower()
    return "begin the description with the meaning, not with `this`" if first in {"this", "it", "the same"} else ""


def named(field: Field) -> str:
    """Names are camelCase. Their endings say what the value is."""
    if not field.name:
        return ""
    if not re.fullmatch(r"[a-z][a-zA-Z0-9]*", field.name):
        return "a name is camelCase: letters and digits, a lower-case one first"
    if re.search(r"(Reference|References)$", field.name):
        return "a reference is named ...Ref or ...Refs"
    if field.node.get("type") == "string" and re.search(
        r"(duration|timeout|interval|period|delay)$", field.name, re.IGNORECASE
    ):
        return "a duration is an integer whose name ends with its unit, such as ...Seconds"
    return ""


def time(field: Field) -> str:
    """Timestamps are named `...Time`, and have the format date-time (RFC 3339)."""
    dated = field.node.get("format") == "date-time"
    if dated and not re.search(r"(^t|T)ime$", field.name):
        return "a point in time is named ...Time"
    if re.search(r"((^t|T)ime|Timestamp|(^d|D)ate|At)$", field.name) and not dated:
        return "what is named like a point in time is named ...Time and has format date-time"
    return ""


def enum(field: Field) -> str:
    """Values of enums are CamelCase."""
    odd = [value for value in field.node.get("enum", ()) if not re.fullmatch(r"[A-Z][A-Za-z0-9]*", value)]
    return f"the values of an enum are CamelCase: {', '.join(odd)}" if odd else ""


def boolean(field: Field) -> str:
    """Most booleans need a third value eventually. An enum has room for it."""
    return "a boolean: prefer an enum, or say in EXCEPTIONS why not" if field.node.get("type") == "boolean" else ""


def maps(field: Field) -> str:
    """Maps are for labels and annotations. Everything else is a list of named objects."""
    if "additionalProperties" in field.node and field.node["additionalProperties"].get("type") != "string":
        return "a map of objects: use a list with x-kubernetes-list-type: map"
    if field.node.get("x-kubernetes-preserve-unknown-fields"):
        return "an object that may hold anything: a misspelt field in it is not noticed"
    return ""


def optional(field: Field) -> str:
    """A field is either required or has a default. Null is not a value."""
    if field.required and "default" in field.node:
        return "a required field has no default"
    return "nullable: leave the field out instead" if field.node.get("nullable") else ""


def conditions(field: Field) -> str:
    """Conditions are a list of metav1.Condition, merged by type."""
    if field.name != "conditions":
        return ""
    if field.node.get("x-kubernetes-list-map-keys") != ["type"]:
        return "conditions are a list of type map with the key `type`"
    properties = field.node["items"].get("properties", {})
    missing = [name for name, wanted in _CONDITION.items() if not wanted.items() <= properties.get(name, {}).items()]
    return f"not a metav1.Condition: {', '.join(missing)}" if missing else ""


RULES: dict[str, Rule] = {
    "list": listed,
    "number": numeric,
    "bounds": bounds,
    "description": described,
    "name": named,
    "time": time,
    "enum": enum,
    "boolean": boolean,
    "map": maps,
    "optional": optional,
    "conditions": conditions,
}


def fields(node: Json, path: str = "", *, required: bool = False) -> Iterator[Field]:
    """Yield each node of a schema, starting with itself."""
    yield Field(path, node, required)
    for name, child in node.get("properties", {}).items():
        yield from fields(child, f"{path}.{name}", required=name in node.get("required", ()))
    for key, mark in (("items", "[]"), ("additionalProperties", "{}")):
        if key in node:
            yield from fields(node[key], path + mark)


def lint(whole: Json, exceptions: dict[str, dict[str, str]]) -> list[str]:
    """Find violations in a schema, one line each. An unused exception is a violation too."""
    found: list[str] = []
    unused = {(rule, pattern) for rule, patterns in exceptions.items() for pattern in patterns}
    for field in fields(whole):
        for rule, check in RULES.items():
            if not (problem := check(field)):
                continue
            allowed = {(rule, pattern) for pattern in exceptions.get(rule, {}) if fnmatchcase(field.path, pattern)}
            unused -= allowed
            if not allowed:
                found.append(f"{field.path or 'the object'}: {problem} [{rule}]")
    return found + [f"{pattern}: the exception is not needed [{rule}]" for rule, pattern in sorted(unused)]


def main() -> None:
    """Check the schema of a TTSService. Exits with 1 if it violates a convention."""
    problems = lint(schema(), EXCEPTIONS)
    sys.stdout.writelines(f"{problem}\n" for problem in problems)
    sys.exit(bool(problems))


if __name__ == "__main__":
    main()
