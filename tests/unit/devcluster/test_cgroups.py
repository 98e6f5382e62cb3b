from pathlib import Path

import pytest

from devcluster.errors import DevclusterError
from devcluster.host import cgroups


def tree(mount: Path, *files: str) -> None:
    for name in files:
        (mount / name).parent.mkdir(parents=True, exist_ok=True)
        (mount / name).write_text("")


def test_version_1_has_a_tree_per_controller(tmp_path: Path) -> None:
    tree(
        tmp_path,
        "cpu/cgroup.procs",
        "pids/cgroup.procs",
        "systemd/cgroup.procs",
        "unified/cgroup.procs",
        "unified/cgroup.controllers",
    )
    trees = cgroups.detect(tmp_path)
    assert not trees.unified
    assert [root.name for root in trees.roots] == ["cpu", "pids", "systemd"]
    assert [root.name for root in trees.hybrid] == ["unified"]
    assert trees.tracking == tmp_path / "systemd"


def test_joint_controllers_count_once(tmp_path: Path) -> None:
    tree(tmp_path, "cpu,cpuacct/cgroup.procs")
    (tmp_path / "cpu").symlink_to("cpu,cpuacct")
    assert cgroups.detect(tmp_path).roots == (tmp_path / "cpu,cpuacct",)


def test_version_2_is_one_tree(tmp_path: Path) -> None:
    tree(tmp_path, "cgroup.controllers", "cgroup.procs")
    trees = cgroups.detect(tmp_path)
    assert trees.unified
    assert trees.roots == (tmp_path,)
    assert trees.tracking == tmp_path


def test_no_cgroups_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DevclusterError, match="no cgroups"):
        cgroups.detect(tmp_path)


def test_members_are_those_of_the_group_and_below(tmp_path: Path) -> None:
    tree(tmp_path, "pids/cgroup.procs", "pids/a/cgroup.procs", "pids/a/b/cgroup.procs", "pids/ab/cgroup.procs")
    (tmp_path / "pids/a/cgroup.procs").write_text("11\n12\n")
    (tmp_path / "pids/a/b/cgroup.procs").write_text("13\n0\n")
    (tmp_path / "pids/ab/cgroup.procs").write_text("14\n")
    assert cgroups.members(cgroups.detect(tmp_path), "a") == {11, 12, 13}


def test_a_new_group_gets_the_cpus_of_its_parent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree(tmp_path, "cpuset/cgroup.procs")
    (tmp_path / "cpuset/cpuset.cpus").write_text("0-1\n")
    (tmp_path / "cpuset/cpuset.mems").write_text("0\n")
    make = Path.mkdir

    def kernel_mkdir(path: Path, **_: object) -> None:
        existed = path.exists()
        make(path, exist_ok=True)
        if not existed:
            (path / "cpuset.cpus").write_text("\n")
            (path / "cpuset.mems").write_text("\n")

    monkeypatch.setattr(Path, "mkdir", kernel_mkdir)
    cgroups.create(cgroups.detect(tmp_path), "root/dev/node-1")
    assert (tmp_path / "cpuset/root/dev/node-1/cpuset.cpus").read_text() == "0-1\n"


def test_removal_takes_the_deepest_first_and_keeps_others(tmp_path: Path) -> None:
    tree(tmp_path, "pids/cgroup.procs")
    (tmp_path / "pids/root/0-dev/node-1/pod").mkdir(parents=True)
    (tmp_path / "pids/root/1-other").mkdir()
    cgroups.remove(cgroups.detect(tmp_path), "root/0-dev")
    assert not (tmp_path / "pids/root/0-dev").exists()
    assert (tmp_path / "pids/root/1-other").exists()
