"""Write anew the fixtures of Argo CD's health check, and the patch of `argocd-cm` that holds it:

    PYTHONPATH=operator:. python tests/unit/operator/regenerate_argocd.py

`make generate` does it too. The statuses are what the operator's own `report()` says.
"""

import dataclasses
from pathlib import Path

import yaml

from tests.unit.operator.reconcile.status.test_report import CASES, Case, told
from tests.unit.operator.worlds import EARLIER, body, service
from tts_operator.api import GROUP, KIND
from tts_operator.json_object import Json
from tts_operator.reconcile.status.report import invalid_spec_status

ROOT = Path(__file__).parents[3]
ARGOCD = ROOT / "integrations" / "argocd"
CHECK = ARGOCD / "resource_customizations" / GROUP / KIND
COMMAND = "make generate"
_BY_NAME = {case.name: case for case in CASES}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Fixture:
    """A TTSService, and the health that Argo CD must show for it."""

    body: Json
    health: str
    decides: str | None = None
    """The condition whose message Argo CD shows."""
    says: str = ""
    """The message, where none does."""

    def expected(self) -> dict[str, str]:
        """The health, as Argo CD's own tests write it."""
        return {"status": self.health, "message": self._message()}

    def _message(self) -> str:
        if self.decides is None:
            return self.says
        (message,) = (c["message"] for c in self.body["status"]["conditions"] if c["type"] == self.decides)
        return str(message)


def fixtures() -> dict[str, Fixture]:
    """All of them, by file name without suffix."""
    fresh, well = body(), _reported("all ready")
    unseen = "the operator has not yet seen what the spec says now"
    newer = body(generation=2, status=well["status"])
    deleted = body(status=well["status"], deletionTimestamp="2026-01-02T00:00:00Z")
    invalid = body(status=invalid_spec_status(body(), "spec.replicas: Input should be a valid integer", EARLIER))
    absent = {name: value for name, value in fresh.items() if name != "status"}
    return {
        "healthy": Fixture(body=well, health="Healthy", decides="Ready"),
        "healthy_scaledToZero": Fixture(body=_reported("nothing is wanted"), health="Healthy", decides="Ready"),
        "progressing_noStatus": Fixture(body=absent, health="Progressing", says=unseen),
        "progressing_unseen": Fixture(body=fresh, health="Progressing", says=unseen),
        "progressing_newGeneration": Fixture(body=newer, health="Progressing", says=unseen),
        "progressing_creating": _progressing("no Deployment yet"),
        "progressing_rollout": _progressing("old pods stand beside new ones"),
        "progressing_podFails": _progressing("a pod is out of memory"),
        "progressing_deleted": Fixture(body=deleted, health="Progressing", says="it is being deleted"),
        "degraded_deadline": _degraded("the deadline has passed"),
        "degraded_nameTaken": _degraded("a child was refused"),
        "degraded_invalidSpec": Fixture(body=invalid, health="Degraded", decides="Stalled"),
        "degraded_paused": _degraded("paused and failed"),
        "suspended": Fixture(body=_reported("paused and well"), health="Suspended", decides="Paused"),
        "suspended_notReady": Fixture(
            body=_reported("paused before it ever ran"), health="Suspended", decides="Paused"
        ),
    }


def _progressing(case: str) -> Fixture:
    return Fixture(body=_reported(case), health="Progressing", decides="Reconciling")


def _degraded(case: str) -> Fixture:
    return Fixture(body=_reported(case), health="Degraded", decides="Stalled")


def _reported(name: str) -> Json:
    return reported(_BY_NAME[name])


def reported(case: Case) -> Json:
    """The TTSService in a situation, with the status that the operator writes."""
    asked = service(case.spec)
    return body(case.spec, status=told(asked, case, EARLIER))


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002 - what is the same twice is written twice
        return True


def _text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)


def _yaml(data: Json) -> str:
    return yaml.dump(data, Dumper=_Dumper, sort_keys=False, width=120)


def files() -> dict[Path, str]:
    """Every generated file with its text."""
    wanted = fixtures()
    tests = [{"healthStatus": it.expected(), "inputPath": f"testdata/{name}.yaml"} for name, it in wanted.items()]
    patch = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "argocd-cm", "namespace": "argocd"},
        "data": {f"resource.customizations.health.{GROUP}_{KIND}": (CHECK / "health.lua").read_text()},
    }
    return {
        **{CHECK / "testdata" / f"{name}.yaml": _yaml(it.body) for name, it in wanted.items()},
        CHECK / "health_test.yaml": _yaml({"tests": tests}),
        ARGOCD / "argocd-cm.yaml": "# Generated by `make generate` from health.lua. Do not edit.\n" + _yaml(patch),
    }


def main() -> None:
    """Write all fixtures, and remove obsolete ones."""
    wanted = files()
    for stale in set((CHECK / "testdata").glob("*")) - wanted.keys():
        stale.unlink()
    for path, text in wanted.items():
        path.write_text(text)


if __name__ == "__main__":
    main()
