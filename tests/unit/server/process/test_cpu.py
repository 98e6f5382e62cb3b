from pathlib import Path

import pytest

from tts_server.process.cpu import cpu_limit


@pytest.mark.parametrize(
    "quota,expected",
    [("200000 100000", 2), ("150000 100000", 2), ("50000 100000", 1), ("max 100000", 8), ("9900000 100000", 8)],
)
def test_cgroup_v2(tmp_path: Path, quota: str, expected: int) -> None:
    (tmp_path / "cpu.max").write_text(quota + "\n")
    assert cpu_limit(tmp_path, affinity=8) == expected


@pytest.mark.parametrize("quota,expected", [("200000", 2), ("-1", 8)])
def test_cgroup_v1(tmp_path: Path, quota: str, expected: int) -> None:
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text(quota + "\n")
    (tmp_path / "cpu" / "cpu.cfs_period_us").write_text("100000\n")
    assert cpu_limit(tmp_path, affinity=8) == expected


def test_without_a_cgroup(tmp_path: Path) -> None:
    assert cpu_limit(tmp_path, affinity=3) == 3
