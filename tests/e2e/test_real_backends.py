"""Services behind others' servers, on real nodes: Triton in each pod and in pods of its own, and Kokoro. On CPUs.

And what takes too long for test_backends.py.
"""

from __future__ import annotations

import hashlib
import io
import json
import platform
import shutil
import wave
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from bench.figures import Figure
from devcluster.host import debian
from devcluster.host.debian import Requirement
from devcluster.product import ROOT, SERVER, Product
from devcluster.progress import Progress
from devcluster.provider import Devcluster
from tests.e2e.client import Answer, post
from tests.e2e.namespace import Namespace, until
from tests.e2e.rollouts import QUICK, create_service
from tests.e2e.test_backends import DEADLINE, backend, rolled_back
from tts_operator.json_object import Json
from tts_server.__main__ import main

pytestmark = pytest.mark.timeout(900, func_only=True)
HERE = Path(__file__).parent / "real_backends"
TEXT = "今天天气很好，我们去公园散步。"
EQUAL_DECIBELS = 60.0
LOADING_SECONDS = 300
TRITON_LOCK, KOKORO_LOCK = (ROOT / "requirements" / f"{name}.lock" for name in ("tritonserver", "kokoro"))
LIBRARY = Path(f"/usr/lib/{platform.machine()}-linux-gnu/libpython3.11.so.1.0")


def image(product: Product, context: Path, name: str, *inputs: Path) -> str:
    """Build and load an image, in the repository that the operator's policy allows by default.

    The inputs identify it.
    """
    dockerfile = HERE / f"Dockerfile.{name}"
    content = b"".join(each.read_bytes() for each in (dockerfile, *inputs))
    repository = product.reference(SERVER).rpartition(":")[0]
    reference = f"{repository}:{name}-{hashlib.sha256(content).hexdigest()[:12]}"
    product.provider.build_image(dockerfile, reference, {}, context)
    product.provider.load_image(reference)
    return reference


def triton_files(product: Product, context: Path) -> None:
    """Write what Dockerfile.triton copies."""
    shutil.copy(TRITON_LOCK, context)
    libraries = context / "lib"
    libraries.mkdir()
    if isinstance(product.provider, Devcluster):  # its base image is made of the host's packages
        debian.ensure([Requirement(str(LIBRARY), "libpython3.11")], Progress())
        shutil.copy(LIBRARY, libraries)


def kokoro_files(context: Path) -> None:
    """Write what Dockerfile.kokoro copies."""
    shutil.copy(ROOT / "tests/backends/kokoro_files.py", context)
    (packages,) = (ROOT / "build/backends/kokoro").glob("lib/python3*/site-packages")
    shutil.copytree(packages, context / "site-packages")


def models_image(product: Product, context: Path) -> str:
    """Build and load an image that contains a model repository and nothing else."""
    models = context / "models"
    assert main(["triton-repository", "--engine", "fastspeech2", "-o", str(models), "--cpus", "1"]) == 0
    return image(product, context, "models", *sorted(each for each in models.rglob("*") if each.is_file()))


@pytest.fixture(scope="module")
def started(ns: Namespace) -> Iterator[Callable[[str, Json | None], None]]:
    """Create a service with this backend, and wait until it is Ready."""
    names: list[str] = []

    def start(name: str, backend: Json | None) -> None:
        spec = {"backend": backend} if backend is not None else {}
        ns.apply(name, replicas=1, rollout={"progressDeadlineSeconds": LOADING_SECONDS}, **spec)
        names.append(name)
        ns.wait_until_ready(name, seconds=LOADING_SECONDS)

    yield start
    ns.kubectl("delete", "tts", *names, "--wait=false")


def samples(ns: Namespace, name: str) -> np.typing.NDArray[np.float64]:
    """What a service says."""
    asked = post(
        f"{ns.url(name)}/v1/audio/speech",
        json.dumps({"input": TEXT, "response_format": "wav"}),  # of whatever model it has
    )
    answers = list[Answer]()

    def speaks() -> bool:
        answers[:] = ns.client.send(asked)
        return answers[0].status == 200

    until(f"{name} to speak", speaks, 60, otherwise=lambda: answers[0].body[:300])  # kube-proxy lags behind its status
    [answer] = answers
    assert answer.content_type == "audio/wav"
    with wave.open(io.BytesIO(answer.body)) as file:
        return np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.float64)


def test_a_managed_triton_sounds_like_the_engine_in_the_server(
    ns: Namespace, started: Callable[[str, Json | None], None], tmp_path: Path, figures: list[Figure]
) -> None:
    triton_files(ns.product, tmp_path)
    container: Json = {
        "image": image(ns.product, tmp_path, "triton", TRITON_LOCK),
        "resources": {"requests": {"cpu": "100m", "memory": "512Mi"}, "limits": {"cpu": "2", "memory": "2Gi"}},
    }
    mounted = {**container, "volumeMounts": [{"name": "models", "mountPath": "/models", "readOnly": True}]}
    volume = {"name": "models", "image": {"reference": models_image(ns.product, tmp_path)}}
    started("in-process", None)
    ours = samples(ns, "in-process")
    for name, what, asked in (
        ("triton", "Triton as a sidecar", {"triton": {"container": container, "repository": {}}}),
        (
            "triton-separate",
            "Triton in pods of its own, its models from an image volume",
            {"mode": "Separate", "replicas": 1, "volumes": [volume], "triton": {"container": mounted}},
        ),
    ):
        started(name, asked)
        assert ns.condition(name, "BackendReady")["status"] == "True"
        assert ns.status(name)["model"] == "fastspeech2"  # clients may go on to name it
        theirs = samples(ns, name)
        assert len(ours) == len(theirs)
        noise = float(np.sum((ours - theirs) ** 2))
        decibels = 10 * float(np.log10(np.sum(ours**2) / noise)) if noise else 120.0
        figures.append(Figure(f"{what}, like the engine in process", decibels, "dB", EQUAL_DECIBELS, at_least=True))
        assert decibels >= EQUAL_DECIBELS


def test_a_server_of_others_in_pods_of_its_own(
    ns: Namespace, started: Callable[[str, Json | None], None], tmp_path: Path
) -> None:
    kokoro_files(tmp_path)
    upstream = {
        "model": "kokoro",
        "voices": [{"name": "alpha", "voice": "zf_alpha"}],
        "readinessTimeoutSeconds": 10,
        "firstByteTimeoutSeconds": 30,
        "maxConcurrentRequests": 2,
        "container": {
            "image": image(ns.product, tmp_path, "kokoro", KOKORO_LOCK, tmp_path / "kokoro_files.py"),
            "port": 8880,
            "resources": {"requests": {"cpu": "100m", "memory": "1Gi"}, "limits": {"cpu": "2", "memory": "3Gi"}},
        },
    }
    started("kokoro", {"mode": "Separate", "replicas": 1, "upstream": upstream})
    assert ns.condition("kokoro", "BackendReady")["status"] == "True"
    assert ns.status("kokoro")["model"] == "kokoro"
    assert len(samples(ns, "kokoro")) > 24_000


def test_a_backend_that_is_silent_is_rolled_back_with_the_cause(
    ns: Namespace, ingress_url: str, figures: list[Figure]
) -> None:
    rollout = {**QUICK, "progressDeadlineSeconds": DEADLINE}
    speaker = create_service(ns, ingress_url, "silent", "ingress", backend=backend(ns), rollout=rollout)
    ready = rolled_back(speaker, backend(ns, "silence"), figures)
    assert "The backend cannot speak: 0.0 s of sound are too short" in ready["message"]
