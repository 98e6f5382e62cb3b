from pathlib import Path

import pytest

from devcluster.host import network
from devcluster.layout import Cluster


def test_a_control_plane_alone_is_removed_where_there_is_no_nft(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(network, "NETNS", tmp_path)
    monkeypatch.setattr(network, "_SYS_NET", tmp_path)
    (tmp_path / "sh").symlink_to("/bin/sh")
    monkeypatch.setenv("PATH", str(tmp_path))
    network.remove(Cluster("c", 0, tmp_path))
