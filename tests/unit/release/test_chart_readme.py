from __future__ import annotations

import pytest

from devcluster.product import ROOT
from release.chart_readme import described, readme

CHART = ROOT / "charts/tts-operator"


def test_the_readme_is_that_of_the_values() -> None:
    expected = readme((CHART / "Chart.yaml").read_text(), (CHART / "values.yaml").read_text())
    assert (CHART / "README.md").read_text() == expected, "run `make generate`"


def test_the_chart_has_the_crd_of_this_version() -> None:
    crd = (ROOT / "crds/tts-operator.io_ttsservices.yaml").read_text()
    assert (CHART / "files/ttsservices.yaml").read_text() == crd, "run `make generate`"


def test_comments_describe_values() -> None:
    values = """\
# No description: this is about the file.

image:
  # -- Where it is,
  # or a | b
  #
  #   not.this: true
  repository: a/b
# -- A whole map
labels: {a: b}
list: # no comment above
  # -- Not a key of its own
  inner: [1]
"""
    found = [(each.path, each.default, each.description) for each in described(values)]
    assert found == [
        ("image.repository", "a/b", r"Where it is, or a \| b"),
        ("labels", {"a": "b"}, "A whole map"),
        ("list.inner", [1], "Not a key of its own"),
    ]


def test_a_value_without_a_description_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"values.yaml:4: image.tag needs a comment above it: `# -- What it is`"):
        list(described("image:\n  # -- The name\n  name: a\n  tag: b\n"))
