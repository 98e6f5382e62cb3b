import io
import json
import tarfile
from pathlib import Path

from devcluster.images import baseimage, builder, containerd


def test_single_file_image_is_a_docker_archive() -> None:
    with tarfile.open(
        fileobj=io.BytesIO(containerd.single_file_image(b"program", "/pause", "localhost/pause:1"))
    ) as tar:

        def read(name: str) -> bytes:
            member = tar.extractfile(name)
            assert member
            return member.read()

        (manifest,) = json.loads(read("manifest.json"))
        config = json.loads(read(manifest["Config"]))
        layer = read(manifest["Layers"][0])
    assert manifest["RepoTags"] == ["localhost/pause:1"]
    assert config["config"]["Entrypoint"] == ["/pause"]
    with tarfile.open(fileobj=io.BytesIO(layer)) as tar:
        assert tar.getmember("pause").mode == 0o755


def test_archive_names_keep_tags_apart() -> None:
    tags = ["ghcr.io/tts-operator/tts-server:v0.1.0", "ghcr.io/tts-operator/tts-server:v0.1.1", "tts-server:v0.1.0"]
    assert len({builder.archive_path(tag) for tag in tags}) == len(tags)


def test_manifest_digest_of_an_oci_archive(tmp_path: Path) -> None:
    index = json.dumps({"manifests": [{"digest": "sha256:abc"}]}).encode()
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        member = tarfile.TarInfo("index.json")
        member.size = len(index)
        tar.addfile(member, io.BytesIO(index))
    assert builder.manifest_digest(tmp_path / "a.tar") == "sha256:abc"


def test_pip_settings_come_from_files_then_environment() -> None:
    config = "[global]\nindex-url = https://a.example/simple\ntimeout = 9\n[install]\nno_index = true\n"
    environ = {"PIP_INDEX_URL": "https://b.example/simple", "PIP_REQUIRE_VIRTUALENV": "1", "PATH": "/bin"}
    assert builder.pip_settings(environ, [config]) == {
        "index-url": "https://b.example/simple",
        "no-index": "true",
        "timeout": "9",
    }


def test_mirrors_of_both_formats() -> None:
    deb822 = "Types: deb\nURIs: http://m.example/debian\nSuites: trixie\n\nTypes: deb\nURIs: http://m.example/debian-security\n"
    one_line = "deb [signed-by=/k.gpg] http://m.example/debian/ bookworm main\n# deb http://no.example/debian x main\n"
    assert baseimage.mirrors_of(deb822).main == "http://m.example/debian"
    assert baseimage.mirrors_of(deb822).security == "http://m.example/debian-security"
    assert baseimage.mirrors_of(one_line).main == "http://m.example/debian/"
    assert baseimage.mirrors_of(one_line).security is None
    assert "-security" not in baseimage.mirrors_of(one_line).sources()


def test_other_vendors_repositories_are_not_debian() -> None:
    assert baseimage.mirrors_of("deb https://deb.nodesource.com/node_20.x nodistro main\n") == baseimage.Mirrors()
