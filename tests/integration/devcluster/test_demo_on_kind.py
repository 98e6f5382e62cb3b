"""`make demo CLUSTER=kind` from first to last, with programs that answer as kind, Docker, and kubectl do.

The real ones need Docker, which the machine may lack. tests/release/test_kind.py asks kind itself.
"""

from __future__ import annotations

import io
import json
import math
import os
import stat
import struct
import subprocess
import sys
import wave
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from devcluster.demo import measure
from devcluster.product import OPERATOR, ROOT, SERVER

RECORDER = """\
#!{python}
import json, os, sys
name = os.path.basename(sys.argv[0])
words = sys.argv[1:]
stdin = "" if sys.stdin.isatty() else sys.stdin.read()
with open(os.environ["RECORD"], "a") as record:
    record.write(json.dumps({{"command": [name, *words], "stdin": stdin}}) + "\\n")
with open(os.environ["ANSWERS"]) as answers:
    for beginning, answer in json.load(answers):
        if [word for word in [name, *words] if not word.startswith("--kubeconfig=")][: len(beginning)] == beginning:
            print(answer)
            break
"""
"""Notes how it was called, and prints what the first answer whose words match says."""


@dataclass(frozen=True)
class Call:
    """How a program was called."""

    command: list[str]
    stdin: str


@dataclass(frozen=True)
class Demo:
    """A finished demo."""

    done: subprocess.CompletedProcess[str]
    calls: list[Call]
    folder: Path

    def of(self, *beginning: str) -> list[Call]:
        """The calls whose command begins with these words."""
        return [call for call in self.calls if tuple(call.command[: len(beginning)]) == beginning]


def tone(seconds: float) -> bytes:
    """A WAV file that counts as speech."""
    samples = [int(8000 * math.sin(number / 10)) for number in range(int(24000 * seconds))]
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(24000)
        out.writeframes(struct.pack(f"<{len(samples)}h", *samples))
    return file.getvalue()


ZONES = ("zone-a", "zone-b", "zone-c")
NODES = [
    {"metadata": {"name": f"dev-worker{number or ''}", "labels": {"topology.kubernetes.io/zone": zone}}}
    for number, zone in enumerate(ZONES)
]
PODS = [
    {"metadata": {"name": f"quickstart-{number}"}, "spec": {"nodeName": node["metadata"]["name"]}}
    for number, node in enumerate(NODES)
]
ANSWERS = [
    (["kind", "get", "clusters"], "another"),
    (["kubectl", "exec"], tone(2).hex()),
    (["kubectl", "get", "pods"], json.dumps({"items": PODS})),
    (["kubectl", "get", "nodes"], json.dumps({"items": NODES})),
    (["kubectl", "get", "service"], "10.96.0.7"),
    (["kubectl", "get", "ttsservices"], "NAME         READY\nquickstart   True"),
]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    folder = tmp_path_factory.mktemp("kind")
    programs = folder / "bin"
    programs.mkdir()
    for name in ("docker", "kind", "kubectl"):
        file = programs / name
        file.write_text(RECORDER.format(python=sys.executable))
        file.chmod(file.stat().st_mode | stat.S_IXUSR)
    (folder / "answers.json").write_text(json.dumps(ANSWERS))
    done = subprocess.run(
        [sys.executable, "-m", "devcluster.demo"],
        cwd=folder,
        env={
            **os.environ,
            "CLUSTER": "kind",
            "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": f"{ROOT / 'operator'}{os.pathsep}{ROOT}",
            "XDG_CACHE_HOME": str(folder / "cache"),
            "RECORD": str(folder / "record.jsonl"),
            "ANSWERS": str(folder / "answers.json"),
            "PIP_INDEX_URL": "https://mirror.example.com/simple",
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    record = (folder / "record.jsonl").read_text().splitlines()
    return Demo(done, [Call(**json.loads(line)) for line in record], folder)


def test_it_ends_with_speech_and_next_steps(demo: Demo) -> None:
    assert demo.done.returncode == 0, demo.done.stderr
    assert measure((demo.folder / "build/demo/hello.wav").read_bytes()).seconds == 2
    for zone in ZONES:
        assert zone in demo.done.stdout
    assert "http://localhost:7860/  (after the port-forward below)" in demo.done.stdout
    assert "make cluster-down CLUSTER=kind" in demo.done.stdout
    assert "devcluster" not in demo.done.stdout  # its commands are for the cluster without Docker


def test_the_cluster_has_a_worker_in_each_zone(demo: Demo) -> None:
    (create,) = demo.of("kind", "create", "cluster")
    assert create.command[3:] == ["--name", "dev", "--config", "-", "--wait", "180s"]
    config = yaml.safe_load(create.stdin)
    assert (config["kind"], config["apiVersion"]) == ("Cluster", "kind.x-k8s.io/v1alpha4")
    assert [node["role"] for node in config["nodes"]] == ["control-plane", "worker", "worker", "worker"]
    zones = [node["labels"]["topology.kubernetes.io/zone"] for node in config["nodes"][1:]]
    assert tuple(zones) == ZONES


def test_the_nodes_get_the_images_that_the_manifests_name(demo: Demo) -> None:
    tags = [image.reference(None) for image in (OPERATOR, SERVER)]
    builds = demo.of("docker", "build")
    assert [build.command[2:] for build in builds] == [
        ["-f", str(ROOT / image.sources[0]), "-t", tag, "--build-arg=PIP_INDEX_URL=https://mirror.example.com/simple",
         str(ROOT)]
        for image, tag in zip((OPERATOR, SERVER), tags, strict=True)
    ]  # fmt: skip
    loads = [call.command[3:] for call in demo.of("kind", "load", "docker-image")]
    assert loads == [[tag, "--name", "dev"] for tag in tags]
    (install,) = (call for call in demo.calls if "--server-side" in call.command)
    (deployment,) = (each for each in yaml.safe_load_all(install.stdin) if each and each["kind"] == "Deployment")
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    server = next(each["value"] for each in container["env"] if each["name"] == "TTS_OPERATOR_SERVER_IMAGE")
    assert [container["image"], server] == tags
    assert container["imagePullPolicy"] == "IfNotPresent"


def test_kubectl_is_that_of_the_machine_with_the_kubeconfig_of_the_cluster(demo: Demo) -> None:
    kubeconfig = demo.folder / "cache/tts-devcluster/kind-dev.kubeconfig"
    assert ["kind", "export", "kubeconfig", "--name", "dev", "--kubeconfig", str(kubeconfig)] in [
        call.command for call in demo.calls
    ]
    used = demo.of("kubectl")
    assert used
    for call in used:
        assert call.command[1] == f"--kubeconfig={kubeconfig}"
