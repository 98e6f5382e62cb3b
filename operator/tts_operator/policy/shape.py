"""Whether `podTemplate`, which has no schema, has the shape of a pod template, so that it can be merged and judged.

What is wrong further inside is for the API server to say.
"""

from collections.abc import Iterator
from typing import Any

from tts_operator.policy.bounds import Violation, shown, word

NODES_MAX = 5_000
"""So many values a podTemplate may hold: a large one, with ten containers, has some hundred."""
CHARACTERS_MAX = 65_536
"""So many characters all its texts may have together."""
DEPTH_MAX = 32
"""So deep it may be nested. A pod's deepest field is at fifteen."""
FIELD = "spec.podTemplate"


def misshapen(template: Any) -> list[Violation]:
    """What keeps a podTemplate from being merged; empty where nothing does."""
    if template is None:
        return []
    if size := _too_large(template):
        return [Violation(text=size)]
    return [Violation(text=text) for text in _malformed(template)]


def _too_large(template: Any) -> str:
    """What is said of a template that is too large or too deep; empty where it is neither.

    It is walked without recursion, so that depth does no harm.
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
