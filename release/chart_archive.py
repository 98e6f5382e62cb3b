"""A packaged chart as an OCI image layout, as registries keep it (https://helm.sh/docs/topics/registries)."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from pathlib import Path
from typing import Any

CONFIG = "application/vnd.cncf.helm.config.v1+json"
LAYER = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"


def write(chart: bytes, about: dict[str, Any], target: Path) -> str:
    """Write the OCI archive of a chart, given its .tgz and its Chart.yaml. Return the manifest's digest.

    The archive depends on nothing but the chart.
    """
    blobs: dict[str, bytes] = {}

    def blob(media_type: str, content: bytes) -> dict[str, Any]:
        digest = hashlib.sha256(content).hexdigest()
        blobs[digest] = content
        return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(content)}

    manifest = {
        "schemaVersion": 2,
        "mediaType": _MANIFEST,
        "config": blob(CONFIG, _json(about)),
        "layers": [blob(LAYER, chart)],
        "annotations": {
            "org.opencontainers.image.title": about["name"],
            "org.opencontainers.image.description": about["description"],
            "org.opencontainers.image.version": about["version"],
        },
    }
    described = blob(_MANIFEST, _json(manifest))
    index = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [{**described, "annotations": {"org.opencontainers.image.ref.name": about["version"]}}],
    }
    files = {"oci-layout": _json({"imageLayoutVersion": "1.0.0"}), "index.json": _json(index)}
    files.update({f"blobs/sha256/{digest}": content for digest, content in sorted(blobs.items())})
    with tarfile.open(target, "w") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return str(described["digest"])


def _json(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True).encode()
