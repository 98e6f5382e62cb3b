"""Fixtures: a cluster with the operator installed by Helm, and a reader in a clone of the repository."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
import yaml

from bench.figures import Figure, table, write
from devcluster import binaries
from devcluster.addons import crds
from devcluster.lifecycle import claims
from devcluster.product import NAMESPACE, OPERATOR, ROOT, SERVER, Product
from devcluster.provider import Devcluster, Size
from tests.conftest import bring_up, cluster, compile_programs
from tests.docs import small_images
from tests.docs.reader import Reader, environment
from tests.docs.shell import Shell
from tests.docs.steps import Reading
from tests.integration.operator.test_helm import CHART, CRD, Helm

FIGURES = Path("build/bench/docs.json")
MEASURED: pytest.StashKey[list[Figure]] = pytest.StashKey()
RELEASE = "tts-operator"
KINDS = "namespaces,deployments,pods,services,secrets,configmaps,networkpolicies"
MONITORING = ("podmonitors.monitoring.coreos.com", "prometheusrules.monitoring.coreos.com")


@pytest.fixture(scope="session")
def figures(request: pytest.FixtureRequest) -> list[Figure]:
    """How long each block took. At the end of the run they are printed as a table and written to FIGURES."""
    return request.config.stash.setdefault(MEASURED, [])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print how long each block took."""
    if measured := config.stash.get(MEASURED, []):
        write(FIGURES, measured)
        terminalreporter.section(f"measured; also in {FIGURES}")
        terminalreporter.write_line(table(measured))


@pytest.fixture(scope="session", autouse=True)
def built() -> None:
    """Build everything that takes minutes on a new machine, so that no block seems to take that long."""
    compile_programs()


@pytest.fixture(scope="session")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """Three nodes with both images of this checkout, and those that pages name. The operator is not there."""
    with cluster("docs", Size(nodes=3)) as product:
        if not isinstance(product.provider, Devcluster):
            pytest.skip("no registry is reached: only devcluster can be given the images that pages name")
        product.build()
        product.load()
        small_images.load(claims.existing("docs").nodes(3), tmp_path_factory.mktemp("images"))
        yield product


@pytest.fixture
def helm(nodes: Product, tmp_path: Path) -> Helm:
    """Helm, in the operator's namespace."""
    binaries.ensure(["helm"], nodes.progress)
    return Helm(binaries.path_of("helm"), nodes, NAMESPACE, tmp_path / "helm")


@pytest.fixture
def release(nodes: Product, helm: Helm) -> Iterator[Callable[[], None]]:
    """Install the operator as the chart has it. Everything that the test has created goes again."""
    before = objects(nodes)

    def install() -> None:
        settings = (word for each in images(nodes) for word in ("--set", each))
        words = ("--install", "--create-namespace", "--reset-values", "--wait", "--timeout=90s")
        helm("upgrade", RELEASE, CHART, *words, *settings)

    yield install
    if CRD in nodes.kubectl("get", "crd", "-o", "name"):
        nodes.kubectl("delete", "ttsservices", "-A", "--all", "--cascade=foreground", timeout=240)
    for each in sorted(objects(nodes) - before - {f"namespace/{NAMESPACE}"}):
        nodes.kubectl("delete", each, "--ignore-not-found", "--timeout=200s", timeout=240)


@pytest.fixture
def uninstalled(helm: Helm) -> Callable[[], None]:
    """Remove the release, if it is there."""

    def remove() -> None:
        helm("uninstall", RELEASE, "--ignore-not-found", "--wait", "--timeout=90s")

    return remove


@pytest.fixture
def reader(
    nodes: Product,
    release: Callable[[], None],
    uninstalled: Callable[[], None],
    figures: list[Figure],
    tmp_path: Path,
) -> Iterator[Callable[[Reading], Reader]]:
    """Somebody with a clone of the repository, kubectl, Helm and the plugin, who has what the page says."""
    with ExitStack() as stack:

        def make(reading: Reading) -> Reader:
            for addon in reading.addons:
                bring_up("docs", Size(**{addon: True}))
            release() if reading.operator else uninstalled()
            variables = _variables(nodes, tmp_path)
            clone = tmp_path / "tts-operator"
            subprocess.run(["git", "clone", "--quiet", ROOT, clone], check=True, timeout=60)
            shell = stack.enter_context(closing(Shell(clone, environment(**variables))))
            return Reader(shell, variables, figures)

        yield make


def _variables(product: Product, folder: Path) -> dict[str, str]:
    """The variables that the table uses, and where the reader's programs are."""
    tools = folder / "tools"
    tools.mkdir()
    for name in ("kubectl", "helm"):
        (tools / name).symlink_to(binaries.path_of(name))
    for name in ("kubectl-tts", "tts-server"):
        (tools / name).symlink_to(Path(sys.executable).parent / name)
    definitions = folder / "monitoring-crds.yaml"
    definitions.write_text(yaml.safe_dump_all(crds.definitions(product.progress, MONITORING)))
    found = claims.existing("docs")
    operator, server = (product.reference(image).rpartition(":") for image in (OPERATOR, SERVER))
    s3_host, s3_port = found.s3_address
    return {
        "PATH": f"{tools}:{environment()['PATH']}",
        "TOOLS": str(tools),
        "PYTHON": sys.executable,
        "KUBECONFIG": str(found.kubeconfig),
        "REPOSITORY": str(ROOT),
        "OPERATOR_IMAGE": operator[0],
        "OPERATOR_TAG": operator[2],
        "SERVER_IMAGE": server[0],
        "SERVER_TAG": server[2],
        "INGRESS": found.gateway_address,
        "KAFKA": json.dumps(":".join(map(str, found.kafka_address))),
        "S3": f"https://{s3_host}:{s3_port}",
        "MONITORING_CRDS": str(definitions),
    }


def images(product: Product) -> list[str]:
    """The chart's values for the images of this checkout."""
    found = []
    for value, image in (("image", OPERATOR), ("serverImage", SERVER)):
        repository, _, tag = product.reference(image).rpartition(":")
        found += [f"{value}.repository={repository}", f"{value}.tag={tag}"]
    return found


def objects(product: Product) -> set[str]:
    """The namespaces, and what is in the namespace default: KIND/NAME."""
    return set(product.kubectl("-n", "default", "get", KINDS, "-o", "name").split())
