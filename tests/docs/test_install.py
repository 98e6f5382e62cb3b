"""The chart on real nodes: how soon the first audio is there, and what an upgrade does to the pods that speak."""

from __future__ import annotations

import json
import subprocess
import tarfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import requests

from bench.figures import Figure
from devcluster.demo import TEXT, measure
from devcluster.product import NAMESPACE, OPERATOR, ROOT, Product
from tests.docs.conftest import RELEASE, images
from tests.e2e.faults import images as server_images
from tests.e2e.load import loading
from tests.e2e.namespace import until
from tests.integration.operator.test_helm import BEFORE, CHART, CRD, Helm, advice, follow

pytestmark = pytest.mark.timeout(600, func_only=True)
COMMIT_BEFORE = "54c6a25f4829b1360ae6f56fd61d6510e2bfa654"
"""The operator of the chart BEFORE, whose image is built from the history of the repository."""
NAME = "quickstart"
EXAMPLE = ROOT / "examples/quickstart.yaml"
AUDIO_SECONDS = 60


@pytest.fixture
def nothing_there(nodes: Product, release: Callable[[], None], uninstalled: Callable[[], None]) -> None:
    """Neither the operator nor its CustomResourceDefinition. What the test creates goes again."""
    del release  # it cleans up
    uninstalled()
    nodes.kubectl("delete", "crd", CRD, "--ignore-not-found", "--timeout=60s", timeout=70)


@pytest.fixture
def operator_before(nodes: Product, tmp_path: Path) -> str:
    """The reference of the operator's image of that commit, in the nodes."""
    archive = tmp_path / "before.tar"
    sources = ("archive", f"--output={archive}", COMMIT_BEFORE, *OPERATOR.sources)
    done = subprocess.run(["git", *sources], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode:
        pytest.skip(f"a shallow clone has not the commit of the version before: {done.stderr.strip()}")
    with tarfile.open(archive) as tar:
        tar.extractall(tmp_path / "before", filter="data")
    reference = f"{OPERATOR.name}:before"
    nodes.provider.build_image(tmp_path / "before" / OPERATOR.sources[0], reference, {}, tmp_path / "before")
    nodes.provider.load_image(reference)
    return reference


def url(product: Product) -> str:
    """Where this machine reaches the Service, once it is there."""
    address = product.kubectl("get", "service", NAME, "--ignore-not-found", "-o", "jsonpath={.spec.clusterIP}")
    return f"http://{address}" if address else ""


def audio(product: Product) -> bytes | None:
    """What the service answers, or None if it does not yet."""
    try:
        answer = requests.post(
            f"{url(product)}/v1/audio/speech", json={"input": TEXT, "response_format": "wav"}, timeout=30
        )
    except requests.RequestException:
        return None
    return answer.content if answer.ok else None


def servers(product: Product) -> dict[str, list[str]]:
    """The containers of each pod that speaks: their ids change at a restart."""
    said = product.kubectl("get", "pods", "-l", f"app.kubernetes.io/instance={NAME}", "-o", "json")
    return {
        pod["metadata"]["uid"]: [each["containerID"] for each in pod["status"]["containerStatuses"]]
        for pod in json.loads(said)["items"]
    }


def test_from_helm_install_to_the_first_audio(
    nodes: Product, helm: Helm, nothing_there: None, figures: list[Figure]
) -> None:
    del nothing_there
    begin = time.monotonic()
    settings = (word for each in images(nodes) for word in ("--set", each))
    helm("install", RELEASE, CHART, "--create-namespace", *settings)
    nodes.kubectl("apply", "-f", str(EXAMPLE))
    until("the first audio", lambda: audio(nodes) is not None, 3 * AUDIO_SECONDS)
    seconds = time.monotonic() - begin
    sound = measure(audio(nodes) or b"")
    assert sound.seconds > 1
    assert sound.rms > 0.01
    taken = Figure("helm install to the first audio", round(seconds, 1), "seconds", AUDIO_SECONDS)
    figures.append(taken)
    assert taken.ok, f"{seconds:.0f} s"


def test_an_upgrade_from_the_version_before_restarts_no_server(
    nodes: Product, helm: Helm, nothing_there: None, operator_before: str, figures: list[Figure]
) -> None:
    del nothing_there
    server = server_images.ensure(nodes, "b")["b"]  # another default image than that of the new chart
    repository, _, tag = operator_before.rpartition(":")
    older = (f"image.repository={repository}", f"image.tag={tag}", f"serverImage.repository={server['repository']}")
    words = [word for each in (*older, f"serverImage.tag={server['tag']}") for word in ("--set", each)]
    helm("install", RELEASE, BEFORE, "--create-namespace", "--wait", "--timeout=90s", *words)
    nodes.kubectl("apply", "-f", str(EXAMPLE))
    nodes.kubectl("wait", "--for=condition=Ready", f"ttsservice/{NAME}", "--timeout=120s", timeout=130)
    until("the service speaks", lambda: audio(nodes) is not None, 30)
    before = servers(nodes)
    assert len(before) == 3

    newer = [word for each in images(nodes) for word in ("--set", each)]
    upgrade: tuple[str | Path, ...] = ("upgrade", RELEASE, CHART, "--reset-values", "--wait", "--timeout=90s", *newer)
    with loading([url(nodes)], rate=5) as load:
        follow(helm, advice(helm.run(*upgrade)))
        helm(*upgrade)
        until("only the new operator runs", lambda: operators(nodes) == {nodes.reference(OPERATOR)}, 60)
        nodes.kubectl("delete", "poddisruptionbudget", NAME)
        until("the new operator repairs what is missing", lambda: has_budget(nodes), 60)
        nodes.kubectl("wait", "--for=condition=Ready", f"ttsservice/{NAME}", "--timeout=60s", timeout=70)
    assert load.result is not None
    restarted = len(set(map(str, before.items())) - set(map(str, servers(nodes).items())))
    figures += [
        Figure("upgrade from the version before: servers restarted", restarted, "pods", 0),
        Figure("upgrade: requests that failed", len(load.result.failures), "requests", 0),
        Figure("upgrade: requests", load.result.sent, "requests"),
    ]
    assert servers(nodes) == before
    assert load.result.failures == (), load.result.summary()


def operators(product: Product) -> set[str]:
    """The images of the operator's pods."""
    shown = "jsonpath={.items[*].spec.containers[*].image}"
    return set(product.kubectl("-n", NAMESPACE, "get", "pods", "-o", shown).split())


def has_budget(product: Product) -> bool:
    """Whether the service has its PodDisruptionBudget."""
    return bool(product.kubectl("get", "poddisruptionbudget", NAME, "--ignore-not-found", "-o", "name"))
