"""Fixtures: the product on real nodes in three zones, and a namespace per test module."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bench.figures import Figure, table, write
from devcluster.product import NAMESPACE, Product
from tests.conftest import compile_programs
from tests.e2e.client import Client
from tests.e2e.namespace import Namespace, until
from tests.e2e.operatorlog import OperatorLog, crashed, wrong_lines
from tests.e2e.proxy import proxy

FIGURES = Path("build/bench/e2e.json")
MEASURED: pytest.StashKey[list[Figure]] = pytest.StashKey()
RESTRICTED = "pod-security.kubernetes.io/enforce=restricted"


@pytest.fixture(scope="session", autouse=True)
def built() -> None:
    """Build everything that takes minutes on a new machine, so that it does not count towards a test's timeout."""
    compile_programs()


@pytest.fixture(scope="session")
def product(three_zones: Product) -> Iterator[Product]:
    """The operator of this checkout, installed. It is removed afterwards, unless it existed before."""
    before = three_zones.kubectl("get", "namespace", NAMESPACE, "--ignore-not-found", "-o", "name")
    three_zones.install()
    yield three_zones
    if not before:
        three_zones.uninstall()


@pytest.fixture(scope="session")
def operator_log(product: Product) -> Iterator[OperatorLog]:
    """The operator's log. After the run, it must be JSON without tracebacks, and no container may have restarted."""
    log = OperatorLog(product)
    yield log
    assert wrong_lines(log.keep()) == []
    assert crashed(product) == []


@pytest.fixture(scope="session")
def server_image(product: Product) -> str:
    """The default image of the model server of the installed operator."""
    deployment = json.loads(product.kubectl("-n", NAMESPACE, "get", "deployment", "tts-operator", "-o", "json"))
    variables = deployment["spec"]["template"]["spec"]["containers"][0]["env"]
    return str(next(each["value"] for each in variables if each["name"] == "TTS_OPERATOR_SERVER_IMAGE"))


@pytest.fixture(scope="session")
def create_namespace(
    product: Product, server_image: str, operator_log: OperatorLog
) -> Iterator[Callable[..., Namespace]]:
    """Create namespaces with the restricted Pod Security Standard and a client pod. They are deleted after the run."""
    del operator_log  # it must start before anything happens
    created: list[str] = []

    def make(name: str, zone: str | None = None) -> Namespace:
        product.kubectl("delete", "namespace", name, "--ignore-not-found", "--timeout=100s", timeout=110)
        product.kubectl("create", "namespace", name)
        created.append(name)
        product.kubectl("label", "namespace", name, RESTRICTED)
        account = ("-n", name, "get", "serviceaccount", "default", "--ignore-not-found", "-o", "name")
        until("the namespace to have its ServiceAccount", lambda: bool(product.kubectl(*account)), 120)
        client = Client(product, name)
        client.start(server_image, zone)
        return Namespace(product, name, client, reader)

    with proxy(product) as reader:
        yield make
    if created:
        product.kubectl("delete", "namespace", *created, "--ignore-not-found", "--timeout=100s", timeout=110)


@pytest.fixture(scope="module")
def ns(create_namespace: Callable[..., Namespace], request: pytest.FixtureRequest) -> Iterator[Namespace]:
    """The namespace of a test module."""
    name = "e2e-" + request.module.__name__.rpartition(".")[2].removeprefix("test_").replace("_", "-")
    created = create_namespace(name)
    yield created
    created.delete()


@pytest.fixture(scope="session")
def figures(request: pytest.FixtureRequest) -> list[Figure]:
    """Figures that tests have measured. At the end of the run they are printed as a table and written to FIGURES."""
    return request.config.stash.setdefault(MEASURED, [])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print the measured figures."""
    if measured := config.stash.get(MEASURED, []):
        write(FIGURES, measured)
        terminalreporter.section(f"measured; also in {FIGURES}")
        terminalreporter.write_line(table(measured))
