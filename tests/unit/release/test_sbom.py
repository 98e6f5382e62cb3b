from __future__ import annotations

import json
from pathlib import Path

import cyclonedx.schema
import jsonschema_rs
import pytest

from devcluster.product import ROOT
from release.build import LOCKS
from release.sbom import Package, debian_packages, document, packages

ONE, TWO = "1" * 64, "2" * 64
LOCK = f"""\
aiohttp==3.14.5 \\
    --hash=sha256:{ONE} \\
    --hash=sha256:{TWO}
    # via kopf
colorama==0.4.6 ; sys_platform == 'win32' \\
    --hash=sha256:{ONE}
kopf==1.45.0 ; python_full_version >= '3.11' \\
    --hash=sha256:{TWO}
    # via
    #   tts-operator (pyproject.toml)
"""
STATUS = """\
Package: libc6
Status: install ok installed
Architecture: arm64
Version: 2.36-9+deb12u10
Description: GNU C Library
 Package: not this

Package: gone
Status: deinstall ok config-files
Architecture: arm64
Version: 1
"""
TIME = "2026-01-02T03:04:05Z"


def test_packages_are_those_that_linux_installs() -> None:
    found = list(packages(LOCK))
    assert found == [Package("aiohttp", "3.14.5", hashes=(ONE, TWO)), Package("kopf", "1.45.0", hashes=(TWO,))]


def test_a_lock_that_depends_on_the_architecture_has_no_single_bill() -> None:
    with pytest.raises(ValueError, match="uvloop: its marker depends on the architecture"):
        list(packages(f"uvloop==1 ; platform_machine == 'x86_64' \\\n    --hash=sha256:{ONE}\n"))


def test_debian_packages() -> None:
    (package,) = debian_packages(STATUS)
    assert package.url == "pkg:deb/debian/libc6@2.36-9%2Bdeb12u10?arch=arm64"


@pytest.mark.parametrize("name", LOCKS)
def test_every_pin_of_an_image_is_in_its_bill(name: str) -> None:
    lock = (ROOT / LOCKS[name]).read_text()
    pins = [line for line in lock.splitlines() if "==" in line and line[0].isalnum()]
    found = {f"{each.name}=={each.version}": each for each in packages(lock)}
    assert {pin.removesuffix(" \\") for pin in pins if ";" not in pin} <= found.keys()
    assert len(found) <= len(pins)
    assert all(each.hashes for each in found.values())


def test_bills_keep_to_the_schema_of_cyclonedx() -> None:
    bill = document("tts-operator", "v0.1.0", [*packages(LOCK), *debian_packages(STATUS)], time=TIME)
    folder = Path(cyclonedx.schema.__file__).parent / "_res"
    schema = json.loads((folder / "bom-1.6.SNAPSHOT.schema.json").read_text())
    resources = {
        name: json.loads((folder / name).read_text())
        for name in ("spdx.SNAPSHOT.schema.json", "jsf-0.82.SNAPSHOT.schema.json")
    }
    base = schema["$id"].rpartition("/")[0]
    registry = jsonschema_rs.Registry([(f"{base}/{name}", body) for name, body in resources.items()])
    validator = jsonschema_rs.Draft7Validator(schema, registry=registry)
    assert [error.message for error in validator.iter_errors(bill)] == []
    assert [each["purl"] for each in bill["components"]] == [
        "pkg:pypi/aiohttp@3.14.5",
        "pkg:pypi/kopf@1.45.0",
        "pkg:deb/debian/libc6@2.36-9%2Bdeb12u10?arch=arm64",
    ]
    assert list(validator.iter_errors({**bill, "specVersion": 1.6, "components": [{"name": "a"}]})) != []


def test_the_same_contents_make_the_same_bill() -> None:
    contents = list(packages(LOCK))
    first = document("a", "v1", contents, time=TIME)
    assert first == document("a", "v1", reversed(contents), time=TIME)
    assert first["serialNumber"] != document("a", "v1", contents[:1], time=TIME)["serialNumber"]
