"""Argo CD's health check of a TTSService, run as Argo CD runs it: Lua 5.1 with few of its libraries.

Source: https://github.com/argoproj/argo-cd/blob/master/util/lua/lua.go
"""

from typing import Any

import pytest
import yaml
from lupa import lua51

from tests.unit.operator.kstatus import kstatus
from tests.unit.operator.reconcile.status.test_report import CASES, Case
from tests.unit.operator.regenerate_argocd import ARGOCD, CHECK, COMMAND, files, fixtures, reported
from tests.unit.operator.worlds import body, condition
from tts_operator.api import GROUP, KIND
from tts_operator.json_object import Json

SCRIPT = (CHECK / "health.lua").read_text()
TESTS = yaml.safe_load((CHECK / "health_test.yaml").read_text())["tests"]
NOT_OPENED = ("coroutine", "debug", "io", "math", "os", "python", "string")
SAME_VERDICT = {"Failed": "Degraded", "Current": "Healthy", "InProgress": "Progressing", "Terminating": "Progressing"}


def health(obj: Json, script: str = SCRIPT) -> dict[str, Any]:
    """The result of the script."""
    lua = lua51.LuaRuntime(register_eval=False, register_builtins=False)
    variables = lua.globals()
    for library in NOT_OPENED:
        variables[library] = None
    variables.obj = lua.table_from(obj, recursive=True)
    return dict(lua.execute(script))


def test_what_is_generated_is_what_is_in_the_repository() -> None:
    written = {path: path.read_text() for path in [*CHECK.rglob("*.yaml"), ARGOCD / "argocd-cm.yaml"]}
    assert written == files(), f"run `{COMMAND}`"


@pytest.mark.parametrize("test", TESTS, ids=[test["inputPath"] for test in TESTS])
def test_fixture(test: Json) -> None:
    assert health(yaml.safe_load((CHECK / test["inputPath"]).read_text())) == test["healthStatus"]


def test_there_are_fixtures_of_each_health() -> None:
    assert {fixture.health for fixture in fixtures().values()} == {"Healthy", "Progressing", "Degraded", "Suspended"}


def test_the_patch_holds_the_check() -> None:
    patch = yaml.safe_load((ARGOCD / "argocd-cm.yaml").read_text())
    script = patch["data"][f"resource.customizations.health.{GROUP}_{KIND}"]
    fixture = fixtures()["healthy"]
    assert health(fixture.body, script) == fixture.expected()


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_argo_cd_and_kstatus_agree(case: Case) -> None:
    seen = reported(case)
    verdict = kstatus(seen)
    paused = seen["spec"].get("paused") and verdict != "Failed"
    assert health(seen)["status"] == ("Suspended" if paused else SAME_VERDICT[verdict])


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_conditions_that_it_does_not_know_change_nothing(case: Case) -> None:
    seen = reported(case)
    foreign = [condition("NeverHeardOf", "False"), condition("Odd", "Unknown"), condition("Strange", "True")]
    more = seen["status"] | {"conditions": [*foreign, *seen["status"]["conditions"]]}
    assert health(seen | {"status": more}) == health(seen)


NOT_YET = "the operator has not yet reported"


@pytest.mark.parametrize(
    "obj, message",
    [
        ({}, NOT_YET),
        ({"metadata": {"generation": 1}, "status": None}, "the operator has not yet seen what the spec says now"),
        (body(status={"observedGeneration": 1}), NOT_YET),
        (body(status={"observedGeneration": 1, "conditions": []}), NOT_YET),
        (body(status={"observedGeneration": 1, "conditions": [condition("Ready", "Unknown", message="m")]}), "m"),
    ],
)
def test_what_says_little_is_progressing(obj: Json, message: str) -> None:
    assert health(obj) == {"status": "Progressing", "message": message}
