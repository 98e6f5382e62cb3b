"""Write anew the manifests that the operator makes of each spec in `golden/specs`:

    PYTHONPATH=operator:. python tests/unit/operator/regenerate_golden.py

A change under `spec.template` of a Deployment restarts every pod of every user when they upgrade the operator: look at
the diff, and say in the commit why it is worth that.
"""

import json
from pathlib import Path

import yaml

from tests.unit.operator.worlds import DEFAULTS, service
from tts_operator.desired import children
from tts_operator.json_object import Json

GOLDEN = Path(__file__).parent / "golden"
SPECS = sorted(path.stem for path in (GOLDEN / "specs").glob("*.yaml"))
NODES = [{"topology.kubernetes.io/zone": zone} for zone in ("zone-a", "zone-b")]
UNLABELLED = {"no-zones"}
"""Specs for a cluster whose nodes have no zone."""
COMMAND = "PYTHONPATH=operator:. .venv/bin/python tests/unit/operator/regenerate_golden.py"


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002 - what is the same twice is written twice
        return True


def render(name: str) -> str:
    """All children of one spec, as YAML."""
    spec = yaml.safe_load((GOLDEN / "specs" / f"{name}.yaml").read_text())
    manifests = children(service(spec), DEFAULTS, nodes=[{}] if name in UNLABELLED else NODES)
    return yaml.dump_all(
        map(_without_dashboard, manifests), Dumper=_Dumper, sort_keys=False, width=120, explicit_start=True
    )


def _without_dashboard(manifest: Json) -> Json:
    """Replace a dashboard by its title and variables: the rest is desired/dashboard.json, which is the same for all."""
    if manifest["kind"] != "ConfigMap":
        return manifest
    boards = {name: json.loads(text) for name, text in manifest["data"].items()}
    kept = {name: {"title": board["title"], **board["templating"]} for name, board in boards.items()}
    return {**manifest, "data": kept}


def main() -> None:
    """Write all of them."""
    for name in SPECS:
        (GOLDEN / f"{name}.yaml").write_text(render(name))


if __name__ == "__main__":
    main()
