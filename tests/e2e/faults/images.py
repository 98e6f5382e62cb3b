"""A tag of the server's image for each fault: built and given to the cluster in a second or two each.

They are of its own repository, which the operator's policy allows by default.

An image is the server's image and one small layer. For devcluster the archive holds only what is new: the nodes have
the rest already, under the same digests.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from pathlib import Path

from devcluster.images import builder, containerd
from devcluster.images.builder import Archive
from devcluster.layout import cache_home
from devcluster.lifecycle import claims
from devcluster.product import SERVER, Product
from devcluster.provider import Devcluster
from tts_operator.json_object import Json

HERE = Path(__file__).resolve().parent
PROGRAM = "faulty.py"
ENTRYPOINT = ["/opt/venv/bin/python", f"/opt/faults/{PROGRAM}"]


def ensure(product: Product, *faults: str) -> dict[str, Json]:
    """Build and load the images of these faults; return for each the `spec.image` of a TTSService that runs it."""
    return {fault: _ensure(product, fault) for fault in faults}


def _ensure(product: Product, fault: str) -> Json:
    base = product.reference(SERVER)
    # The tag says what is in it, so that a node's old image of the same name is never taken for it.
    content = hashlib.sha256(base.encode() + (HERE / PROGRAM).read_bytes()).hexdigest()[:12]
    tag = f"fault-{fault}-{content}"
    repository = base.rpartition(":")[0]
    reference = f"{repository}:{tag}"
    provider = product.provider
    if isinstance(provider, Devcluster):
        archive = thin_archive(builder.find(base), reference, fault)
        cluster = claims.existing(provider.name)
        spec = claims.read_spec(cluster)
        containerd.load(archive.path, reference, archive.digest, cluster.nodes(spec.nodes if spec else 0))
    else:
        provider.build_image(HERE / "Dockerfile", reference, {"SERVER_IMAGE": base, "FAULT": fault}, HERE)
        provider.load_image(reference)
    return {"repository": repository, "tag": tag, "pullPolicy": "IfNotPresent"}


def thin_archive(base: Archive, reference: str, fault: str) -> Archive:
    """Write an OCI archive of the fault's image without the layers of its base."""
    target = cache_home() / "images" / f"{reference.replace('/', '_').replace(':', '_')}.thin.tar"
    layer = _tar({f"opt/faults/{PROGRAM}": (HERE / PROGRAM).read_bytes()})
    manifest, config = _read_base(base.path)
    config["config"]["Env"] = [*config["config"].get("Env", []), f"TTS_FAULT={fault}"]
    config["config"]["Entrypoint"] = ENTRYPOINT
    config["config"]["Cmd"] = ["serve"]
    config["rootfs"]["diff_ids"].append(_digest(layer))
    config.setdefault("history", []).append({"created_by": f"tests/e2e/faults {fault}"})
    configuration = json.dumps(config).encode()
    manifest["config"] |= {"digest": _digest(configuration), "size": len(configuration)}
    manifest["layers"].append(
        {"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": _digest(layer), "size": len(layer)}
    )
    manifest.pop("annotations", None)
    described = json.dumps(manifest).encode()
    index = {
        "schemaVersion": 2,
        "manifests": [
            {
                "mediaType": manifest.get("mediaType", "application/vnd.oci.image.manifest.v1+json"),
                "digest": _digest(described),
                "size": len(described),
                "annotations": {
                    "io.containerd.image.name": reference,
                    "org.opencontainers.image.ref.name": reference.rpartition(":")[2],
                },
            }
        ],
    }
    blobs = {f"blobs/sha256/{_digest(blob)[7:]}": blob for blob in (layer, configuration, described)}
    scratch = target.with_suffix(f".{id(target)}.new")
    scratch.write_bytes(
        _tar({"oci-layout": b'{"imageLayoutVersion": "1.0.0"}', "index.json": json.dumps(index).encode(), **blobs})
    )
    scratch.replace(target)
    return Archive(target, _digest(described))


def _read_base(archive: Path) -> tuple[Json, Json]:
    """The manifest and the configuration of an OCI archive with one image."""
    with tarfile.open(archive) as tar:

        def read(name: str) -> Json:
            file = tar.extractfile(name)
            assert file is not None
            found: Json = json.load(file)
            return found

        manifest = read(f"blobs/sha256/{read('index.json')['manifests'][0]['digest'][7:]}")
        return manifest, read(f"blobs/sha256/{manifest['config']['digest'][7:]}")


def _digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _tar(files: dict[str, bytes]) -> bytes:
    """The same bytes for the same content, and readable by every user."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), 0o644
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()
