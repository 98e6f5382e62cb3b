"""Every file in examples/, and every TTSService in the documentation, can be applied as it is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from devcluster.product import Product
from tests.integration.operator.world import IMAGE
from tests.unit.examples.files import EXAMPLES, FOLDER, NAMES
from tests.unit.operator.worlds import plan
from tests.unit.website.pages import Block, blocks, documentation
from tts_operator.api import KIND, TTSService
from tts_operator.desired import Defaults, children
from tts_operator.policy import Policy
from tts_operator.reconcile.observed.snapshot import Observed

POLICY = Policy.model_validate(
    {
        "images": [
            "{serverImage}",
            "registry.example.com/speech/*",
            "registry.example.com/log-shipper",
            "ghcr.io/remsky/kokoro-fastapi-*",
            "ghcr.io/speaches-ai/speaches",
            "docker.io/vllm/vllm-omni",
        ],
        "serviceTypes": ["ClusterIP", "NodePort", "LoadBalancer"],
        "serviceAnnotations": [
            "service.beta.kubernetes.io/aws-load-balancer-scheme",
            "service.beta.kubernetes.io/load-balancer-source-ranges",
            "networking.gke.io/load-balancer-type",
        ],
        "issuers": ["Issuer/*", "ClusterIssuer/letsencrypt"],
        "prometheus": ["http://prometheus.monitoring:9090"],
    }
)
"""What the examples say that they need."""
SHOWN = [
    block
    for page in documentation()
    for block in blocks(page)
    if block.language == "yaml" and f"\nkind: {KIND}\n" in block.code
]
"""Blocks of the documentation with a TTSService."""


@pytest.mark.parametrize("example", EXAMPLES, ids=NAMES)
def test_the_api_server_takes_the_example_and_its_children(installed: Product, example: Path) -> None:
    said = installed.kubectl("apply", "--dry-run=server", "-o", "json", "-f", str(example))
    bodies = json.loads(said)
    services = [body for body in bodies.get("items", [bodies]) if body["kind"] == KIND]
    assert services
    for body in services:
        manifests = children(TTSService.parse(body), Defaults(image=IMAGE))
        # As JSON: in YAML, a hash such as 0744106168 is a string for Python and a number for kubectl.
        text = "\n---\n".join(json.dumps(each) for each in manifests)
        installed.kubectl("apply", "--server-side", "--dry-run=server", "-f", "-", stdin=text)


@pytest.mark.parametrize("block", SHOWN, ids=lambda block: block.place)
def test_the_api_server_takes_what_the_documentation_shows(installed: Product, block: Block) -> None:
    bodies = [body for body in yaml.safe_load_all(block.code) if body["kind"] == KIND]
    for body in bodies:
        body["metadata"].pop("namespace", None)  # dry runs need one that exists
    installed.kubectl("apply", "--dry-run=server", "-f", "-", stdin=yaml.safe_dump_all(bodies))


@pytest.mark.parametrize("example", EXAMPLES, ids=NAMES)
def test_the_example_says_what_it_is_and_how_to_apply_it(example: Path) -> None:
    header = []
    for line in example.read_text().splitlines():
        if not line.startswith("#"):
            break
        header.append(line)
    assert len(header) > 1
    assert any("kubectl apply" in line and f"-f examples/{example.relative_to(FOLDER)}" in line for line in header)


@pytest.mark.parametrize("example", EXAMPLES, ids=NAMES)
def test_the_example_names_the_rule_that_it_needs(example: Path) -> None:
    """An example says how to allow it if, and only if, the default policy rejects it."""
    text = example.read_text()
    for body in yaml.safe_load_all(text):
        if body["kind"] != KIND:
            continue
        body["metadata"] |= {"namespace": "speech", "uid": "u"}
        found = {
            policy: plan(TTSService.parse(body), Observed(), Defaults(image=IMAGE), now="", policy=rules).violation
            for policy, rules in {"default": Policy(), "needed": POLICY}.items()
        }
        assert not found["needed"]
        for value in ("images", "serviceTypes", "serviceAnnotations", "issuers", "prometheus"):
            assert (f"Helm value policy.{value}" in found["default"] or f" and policy.{value}" in found["default"]) is (
                f"policy.{value}" in text
            )
