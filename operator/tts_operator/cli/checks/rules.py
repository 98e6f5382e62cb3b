"""Evaluates the CEL rules of a schema on an object.

Kubernetes adds functions to CEL, of which these rules use `quantity`, `compareTo`, and `isSorted`. Rules about changes
(`oldSelf`) need the object in the cluster.

Source: https://kubernetes.io/docs/reference/using-api/cel/
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from tts_operator.api.quantity import quantity
from tts_operator.cli.checks.manifests import Path
from tts_operator.cli.checks.schema import Problem
from tts_operator.json_object import Json

if TYPE_CHECKING:
    import cel

RULES = "x-kubernetes-validations"
OLD = "oldSelf"


class RulesUnavailableError(Exception):
    """The CEL library is not installed."""


def broken(value: Any, schema: Json, path: Path = ()) -> Iterator[Problem]:
    """Find the rules that the object breaks. The object must match the schema otherwise, and have its defaults.

    Raises RulesUnavailableError.
    """
    for each in schema.get(RULES, ()):
        if OLD not in each["rule"] and not _holds(each["rule"], value):
            yield Problem(path=path, text=each["message"])
    if isinstance(value, dict):
        known, rest = schema.get("properties", {}), schema.get("additionalProperties")
        for name, each in value.items():
            inner = known.get(name) or (rest if isinstance(rest, dict) else {})
            yield from broken(each, inner, (*path, name))
    elif isinstance(value, list):
        for number, each in enumerate(value):
            yield from broken(each, schema.get("items", {}), (*path, number))


def _holds(rule: str, value: Any) -> bool:
    try:
        import cel  # noqa: PLC0415 - the structure can be checked without it
    except ImportError as error:
        raise RulesUnavailableError from error
    functions: dict[str, Callable[..., Any]] = {
        "quantity": _checked,
        "compareTo": _compared,
        "isSorted": _is_sorted,
        "replace": str.replace,
    }
    return bool(_program(rule).execute(cel.Context(variables={"self": value}, functions=functions)))


@lru_cache(maxsize=256)
def _program(rule: str) -> cel.Program:
    import cel  # noqa: PLC0415 - see above

    return cel.compile(rule)


def _checked(text: str) -> str:
    quantity(text)
    return text


def _compared(first: str, second: str) -> int:
    one, other = quantity(first), quantity(second)
    return (one > other) - (one < other)


def _is_sorted(items: list[Any]) -> bool:
    return items == sorted(items)
