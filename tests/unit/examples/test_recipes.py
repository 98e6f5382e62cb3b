"""What the operator makes of each recipe for a backend is what the server understands."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.unit.examples.files import FOLDER, NAMES, RECIPES
from tts_operator.api import KIND, TTSService
from tts_operator.desired import Defaults, children
from tts_operator.desired.pod.backend import CONTAINER
from tts_operator.json_object import Json
from tts_server.engines import engine_names
from tts_server.engines.upstream.requests import SpeechRequests, check_sentence
from tts_server.settings import Settings

FOLDERS = sorted(folder for folder in (FOLDER / "backends").iterdir() if folder.is_dir())
SCRIPTS = sorted((FOLDER / "backends").glob("*/*.sh"))


def service(recipe: Path) -> TTSService:
    (body,) = (body for body in yaml.safe_load_all(recipe.read_text(encoding="utf-8")) if body["kind"] == KIND)
    body["metadata"] |= {"namespace": "speech", "uid": "u"}
    return TTSService.parse(body)


def made(recipe: Path) -> list[Json]:
    return list(children(service(recipe), Defaults(image="registry.example.com/tts-server:v1")))


def pods(recipe: Path) -> list[Any]:
    return [each["spec"]["template"]["spec"] for each in made(recipe) if each["kind"] == "Deployment"]


def containers(recipe: Path, name: str) -> list[Any]:
    return [
        each
        for pod in pods(recipe)
        for each in (*pod.get("initContainers", ()), *pod["containers"])
        if each["name"] == name
    ]


@pytest.mark.parametrize("recipe", RECIPES, ids=NAMES[-len(RECIPES) :])
def test_the_server_takes_the_settings_of_a_recipe(recipe: Path) -> None:
    (server,) = containers(recipe, "server")
    settings = Settings.from_environ({each["name"]: each["value"] for each in server["env"] if "value" in each})
    assert settings.engine in engine_names()
    asked = service(recipe).spec.backend
    assert asked
    if asked.upstream is None:
        assert settings.triton.address
        return
    requests = SpeechRequests(settings.upstream)
    assert [each.id for each in settings.upstream.voices] == [each.name for each in asked.upstream.voices]
    for voice in settings.upstream.voices:
        assert requests.body(check_sentence(voice.id, voice.language))


@pytest.mark.parametrize("recipe", RECIPES, ids=NAMES[-len(RECIPES) :])
def test_a_recipe_runs_one_backend_with_all_that_it_mounts(recipe: Path) -> None:
    (backend,) = containers(recipe, CONTAINER)
    (pod,) = (pod for pod in pods(recipe) if backend in (*pod.get("initContainers", ()), *pod["containers"]))
    assert {each["name"] for each in backend.get("volumeMounts", ())} <= {
        each["name"] for each in pod.get("volumes", ())
    }
    assert backend["resources"]["limits"]["memory"]


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_a_recipe_says_what_it_needs_and_what_was_tried(folder: Path) -> None:
    assert (folder / "ttsservice.yaml").is_file()
    english, chinese = (folder / "README.md").read_text("utf-8"), (folder / "README.zh.md").read_text("utf-8")
    for heading in ("Sizing", "Licenses", "Limits", "What was tried"):
        assert f"\n## {heading}\n" in english
    for heading in ("规模", "许可证", "局限", "测试过什么"):
        assert f"\n## {heading}\n" in chinese
    for page in ("backends.md", "backends.zh.md"):
        assert f"examples/backends/{folder.name}/README." in (FOLDER.parent / "docs" / page).read_text("utf-8")


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: str(script.relative_to(FOLDER)))
def test_a_script_of_a_recipe_can_be_run(script: Path) -> None:
    assert script.stat().st_mode & 0o111
    subprocess.run(["bash", "-n", script], check=True)
