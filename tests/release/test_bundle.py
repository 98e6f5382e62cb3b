"""OLM's own validator reads the bundle."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from tests.release.released import Release, program, run

VERSION = "manifests/tts-operator.clusterserviceversion.yaml"


def findings(bundle: Path) -> list[str]:
    """What the validator complains of. It exits with 0 all the same."""
    verify = (program("operator-verify"), "manifests", "--operatorhub_validate", "--object_validate", bundle)
    done = run(*verify, timeout=100)
    return [line for line in (done.stdout + done.stderr).splitlines() if "level=" in line and "level=info" not in line]


def test_the_validator_finds_nothing(release: Release) -> None:
    assert findings(release.folder / "olm") == []


@pytest.mark.parametrize(
    "field, wrong, told",
    [("installModes", [], "install modes not found"), ("provider", {}, "Provider.Name not specified")],
)
def test_the_validator_finds_a_mistake(release: Release, tmp_path: Path, field: str, wrong: object, told: str) -> None:
    bundle = shutil.copytree(release.folder / "olm", tmp_path / "olm")
    csv = yaml.safe_load((bundle / VERSION).read_text())
    csv["spec"][field] = wrong
    (bundle / VERSION).write_text(yaml.safe_dump(csv))
    assert any(told in line for line in findings(bundle))
