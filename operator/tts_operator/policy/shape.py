"""Check the shape of `podTemplate`, which has no schema, before it is merged and checked against the policy.

The API server reports errors further inside.
"""

from collections.abc import Iterator
from typing import Any

from tts_operator.policy.bounds import Violation, shown, word

NODES_MAX = 5_000
"""Maximum number of values in a podTemplate. A large one, with ten containers, has a few hundred."""
CHARACTERS_MAX = 65_536
"""Maximum number of characters in all its strings together."""
DEPTH_MAX = 32
"""Maximum nesting depth. A pod's deepest field is at 15."""
FIELD = "spec.podTemplate"


def misshapen(template: Any) -> list[Violation]:
    """Find what prevents a podTemplate from being merged."""
    if template is None:
        return []
    if size := _too_large(template):
        return [Violation(text=size)]
    return [Violation(text=text) for text in _malformed(template)]


def _too_large(template: Any) -> str:
    """Return an error if a template is too large or too deep; otherwise empty.

    Does not recurse, so that depth does no harm.
    """
    nodes, characters = 0, 0
    left = [(template, 1)]
    while left:
        node, depth = left.pop()
        nodes += 1
        if depth > DEPTH_MAX:
            return f"{FIELD}: it is nested too deeply; at most {DEPTH_MAX} levels are allowed"
        if isinstance(node, dict):
            characters += sum(map(len, node))
            left += [(value, depth + 1) for value in node.values()]
        elif isinstance(node, list):
            left += [(value, depth + 1) for value in node]
        elif isinstance(node, str):
            characters += len(node)
        if nodes + len(left) > NODES_MAX or characters > CHARACTERS_MAX:
            return (
                f"{FIELD}: it is too large; {NODES_MAX} values and {CHARACTERS_MAX} characters are allowed. Put files "
                "into a ConfigMap"
            )
    return ""


def _malformed(template: Any) -> Iterator[str]:
    if not isinstance(template, dict):
        yield f"{FIELD}: {shown(template)} is not a pod template; write an object with metadata and spec"
        return
    for name in template:
        if name not in ("metadata", "spec"):
            yield f"{FIELD}.{word(name)}: a pod template has no such field; it has metadata and spec"
    for name in ("metadata", "spec"):
        if name in template and not isinstance(template[name], dict):
            yield f"{FIELD}.{name}: {shown(template[name])} is not an object; leave it out, or write one"
    metadata = template.get("metadata")
    if isinstance(metadata, dict):
        for name in ("labels", "annotations"):
            if metadata.get(name) is not None and not isinstance(metadata[name], dict):
                yield f"{FIELD}.metadata.{name}: {shown(metadata[name])} is not a map of strings"
