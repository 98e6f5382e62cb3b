"""What the documentation tells users to write and to run is possible."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
import yaml

from devcluster.product import ROOT
from tests.unit.website.pages import Block, blocks, commands, documentation
from tts_operator.api import API_VERSION, KIND, TTSService
from tts_operator.json_object import Json

BLOCKS = [block for page in documentation() for block in blocks(page)]
SHELL = [block for block in BLOCKS if block.language in {"sh", "console"}]
CRD = ROOT / "crds/tts-operator.io_ttsservices.yaml"
_PATCH = re.compile(r"patch tts \S+ --type=merge(?: --\S+)*\s+(?:\\\n\s+)?-p '(\{.*?\})'\n", re.DOTALL)
LANGUAGES = {
    "sh", "console", "yaml", "json", "python", "promql", "xml", "nginx", "ini", "js", "dockerfile", "",
}  # fmt: skip


def place(block: Block) -> str:
    return block.place


def documents(block: Block) -> list[Json]:
    return [each for each in yaml.safe_load_all(block.code) if each]


@cache
def schema() -> Json:
    body: Json = yaml.safe_load(CRD.read_text())["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return body


def unknown(value: Any, node: Json, path: str) -> Iterator[str]:
    """The fields that the API server would reject because the CRD does not have them."""
    if node.get("x-kubernetes-preserve-unknown-fields"):
        return
    if isinstance(value, dict) and "properties" in node:
        for name, inner in value.items():
            if name in node["properties"]:
                yield from unknown(inner, node["properties"][name], f"{path}.{name}")
            else:
                yield f"{path}.{name}"
    elif isinstance(value, dict) and isinstance(node.get("additionalProperties"), dict):
        for name, inner in value.items():
            yield from unknown(inner, node["additionalProperties"], f"{path}.{name}")
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from unknown(inner, node.get("items", {}), f"{path}[{number}]")


@pytest.mark.parametrize("block", [each for each in BLOCKS if each.language == "yaml"], ids=place)
def test_a_ttsservice_has_only_fields_that_exist_and_values_that_are_right(block: Block) -> None:
    for body in documents(block):
        if isinstance(body, dict) and body.get("kind") == KIND:
            assert body["apiVersion"] == API_VERSION
            assert list(unknown(body["spec"], schema()["properties"]["spec"], "spec")) == []
            metadata = {"namespace": "speech", "uid": "1", "generation": 1, **body["metadata"]}
            TTSService.parse({**body, "metadata": metadata})


@pytest.mark.parametrize("block", [each for each in BLOCKS if each.language in {"yaml", "python"}], ids=place)
def test_yaml_and_python_can_be_read(block: Block) -> None:
    if block.language == "yaml":
        assert documents(block)
    else:
        ast.parse(block.code)


def test_a_field_that_does_not_exist_is_found() -> None:
    spec = {"replica": 3, "server": {"cache": {"size": 1}}, "rollout": {"canary": {"steps": [{"wieght": 5}]}}}
    assert list(unknown(spec, schema()["properties"]["spec"], "spec")) == [
        "spec.replica",
        "spec.server.cache.size",
        "spec.rollout.canary.steps[0].wieght",
    ]


def test_every_patch_of_a_ttsservice_has_fields_that_exist() -> None:
    patched = 0
    for block in SHELL:
        for found in _PATCH.finditer(block.code):
            spec = json.loads(found[1])["spec"]
            assert list(unknown(spec, schema()["properties"]["spec"], "spec")) == [], block.place
            patched += 1
    assert patched > 5


def test_every_block_says_its_language() -> None:
    assert {block.language for block in BLOCKS} <= LANGUAGES


def test_every_command_of_the_plugin_exists() -> None:
    used = {
        tuple(found[1].split()[: 2 if found[1].startswith("job") else 1])
        for block in SHELL
        for command in commands(block)
        for found in re.finditer(r"kubectl tts (job [a-z]+|[a-z]+)", command.partition(" #")[0])
    }
    assert ("status",) in used
    for words in sorted(used):
        done = subprocess.run(
            [sys.executable, "-m", "tts_operator.cli", *words, "--help"],
            cwd=ROOT,
            env={"PYTHONPATH": "operator", "PATH": "/usr/bin:/bin"},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, f"kubectl tts {' '.join(words)}: {done.stderr}"


def test_every_target_of_make_exists() -> None:
    there = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    used = {
        word
        for block in SHELL
        for command in commands(block)
        if command.startswith("make ")
        for word in command.partition("#")[0].split()[1:]
        if re.fullmatch(r"[a-z][a-z0-9-]+", word)
    }
    assert {"demo", "lint"} <= used
    assert used - there == set()


def test_every_file_that_a_command_names_exists() -> None:
    named = {
        word
        for block in SHELL
        for command in commands(block)
        for word in re.findall(r"(?<![\w./-])((?:examples|charts|crds|integrations|docs)/[\w./-]*\w)", command)
    }
    assert "charts/tts-operator" in named
    assert {name for name in named if not (ROOT / name).exists()} == set()


def test_shell_blocks_can_be_parsed() -> None:
    """`bash -n` reads each of them: no quote is left open."""
    script = [
        f"# {block.place}\nf() {{\n{block.code}\n}}\n"
        for block in SHELL
        if block.language == "sh" and "..." not in block.code
    ]
    done = subprocess.run(["bash", "-n"], input="\n".join(script), capture_output=True, text=True, check=False)
    assert done.stderr == ""
