"""Every file in examples/ is what a user may apply as it stands."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from devcluster.product import ROOT, Product
from tests.integration.operator.world import IMAGE
from tts_operator.api import KIND, TTSService
from tts_operator.desired import Defaults, children

EXAMPLES = sorted((ROOT / "examples").glob("*.yaml"))


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_the_api_server_takes_the_example_and_its_children(installed: Product, example: Path) -> None:
    said = installed.kubectl("apply", "--dry-run=server", "-o", "json", "-f", str(example))
    bodies = json.loads(said)
    services = [body for body in bodies.get("items", [bodies]) if body["kind"] == KIND]
    assert services
    for body in services:
        manifests = children(TTSService.parse(body), Defaults(image=IMAGE))
        installed.kubectl("apply", "--server-side", "--dry-run=server", "-f", "-", stdin=yaml.safe_dump_all(manifests))


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_the_example_says_what_it_is_and_how_to_apply_it(example: Path) -> None:
    header = []
    for line in example.read_text().splitlines():
        if not line.startswith("#"):
            break
        header.append(line)
    assert len(header) > 1
    assert any("kubectl apply" in line and f"-f examples/{example.name}" in line for line in header)
