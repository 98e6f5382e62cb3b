from __future__ import annotations

import hashlib
import json
import tarfile
from pathlib import Path
from typing import Any

from release.chart_archive import CONFIG, LAYER, write

ABOUT = {"name": "tts-operator", "version": "0.1.0", "description": "x", "apiVersion": "v2"}


def test_the_archive_is_an_oci_layout_of_the_chart(tmp_path: Path) -> None:
    file = tmp_path / "chart.tar"
    digest = write(b"the chart", ABOUT, file)
    with tarfile.open(file) as tar:
        names = tar.getnames()

        def read(name: str) -> bytes:
            member = tar.extractfile(name)
            assert member is not None
            return member.read()

        def blob(described: dict[str, Any]) -> bytes:
            content = read(f"blobs/sha256/{described['digest'].removeprefix('sha256:')}")
            assert len(content) == described["size"]
            assert f"sha256:{hashlib.sha256(content).hexdigest()}" == described["digest"]
            return content

        assert json.loads(read("oci-layout")) == {"imageLayoutVersion": "1.0.0"}
        (described,) = json.loads(read("index.json"))["manifests"]
        assert described["digest"] == digest
        assert described["annotations"]["org.opencontainers.image.ref.name"] == "0.1.0"
        manifest = json.loads(blob(described))
        assert (manifest["config"]["mediaType"], manifest["layers"][0]["mediaType"]) == (CONFIG, LAYER)
        assert json.loads(blob(manifest["config"])) == ABOUT
        assert blob(manifest["layers"][0]) == b"the chart"
        assert len(names) == 5


def test_the_same_chart_makes_the_same_archive(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write(b"the chart", ABOUT, tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
