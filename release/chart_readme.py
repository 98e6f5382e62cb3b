"""The chart's README.md, from the comments in values.yaml that begin with `# --`, as for helm-docs."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

HEAD = """\
<!-- Written by `make generate` from values.yaml. Do not edit. -->
# {name}

{description}. Requires Kubernetes {kubernetes} or newer.

```sh
helm install {name} charts/{name} --namespace {name}-system --create-namespace
```

- [operations.md](../../docs/operations.md): how to install, upgrade, and uninstall
- [security.md](../../docs/security.md): what the operator may do, and what `policy` allows whom

## Values

| Value | Default | Description |
|---|---|---|
"""
_COMMENT = re.compile(r"\s*# ?(.*)")
_LONG = 60
"""Longer defaults are left to values.yaml."""


@dataclass(frozen=True)
class Value:
    """A value with a description."""

    path: str
    default: Any
    description: str


def readme(chart: str, values: str) -> str:
    """Return the text of README.md, given those of Chart.yaml and values.yaml.

    Raises ValueError if a value has no description.
    """
    about = yaml.safe_load(chart)
    lowest = about["kubeVersion"].removeprefix(">=").removesuffix(".0-0")
    rows = [f"| `{each.path}` | {_default(each.default)} | {each.description} |\n" for each in described(values)]
    return HEAD.format(kubernetes=lowest, **about) + "".join(rows)


def described(values: str) -> Iterator[Value]:
    """Yield the values in the order of values.yaml: each with a description, or one of its parents."""
    tree = yaml.compose(values, Loader=yaml.SafeLoader)
    if not isinstance(tree, yaml.MappingNode):
        raise ValueError("values.yaml: write a mapping of values")  # noqa: TRY004 - the file's content is wrong
    yield from _below(tree, yaml.safe_load(values), values.splitlines(), "")


def _below(tree: yaml.MappingNode, data: dict[str, Any], lines: list[str], prefix: str) -> Iterator[Value]:
    for key, node in tree.value:
        path = f"{prefix}{key.value}"
        description = _comment_above(lines, key.start_mark.line)
        if description:
            yield Value(path, data[key.value], description)
        elif isinstance(node, yaml.MappingNode) and node.value:
            yield from _below(node, data[key.value], lines, f"{path}.")
        else:
            raise ValueError(
                f"values.yaml:{key.start_mark.line + 1}: {path} needs a comment above it: `# -- What it is`"
            )


def _comment_above(lines: list[str], line: int) -> str:
    """The first paragraph, as one line, of the comment right above a line that begins with `--`; empty if none does."""
    found: list[str] = []
    while line > 0 and (match := _COMMENT.fullmatch(lines[line - 1])):
        found.insert(0, match[1])
        if match[1].startswith("--"):
            paragraph = found[: found.index("")] if "" in found else found
            return " ".join(paragraph).removeprefix("--").strip().replace("|", "\\|")
        line -= 1
    return ""


def _default(value: Any) -> str:
    if value in ("", None, [], {}):
        return ""
    text = json.dumps(value, ensure_ascii=False)
    return f"`{text}`" if len(text) <= _LONG else "see [values.yaml](values.yaml)"


def main() -> int:
    """Print the README.md of the chart in a folder."""
    folder = Path(sys.argv[1])
    sys.stdout.write(readme((folder / "Chart.yaml").read_text(), (folder / "values.yaml").read_text()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
